"""Stochastic depth: its rates, its mean, and that it is training's alone. `test_timm_network` compares the draws."""

import math

import pytest
import torch

from numerics import lively_network, random_images
from regnety.architecture.design import Design
from regnety.errors import InvalidDesignError
from regnety.network.creation import create_model
from regnety.network.drop_path import DropPath, drop_path_rates

DESIGN = Design(depth=4, w0=16, wa=12, wm=2, group_width=8)
IMAGES = torch.from_numpy(random_images(2, 3, 32, 32))


def test_rates_rise_linearly_to_the_last_block() -> None:
    assert drop_path_rates(0.6, 4) == pytest.approx([0, 0.2, 0.4, 0.6])
    assert drop_path_rates(0.6, 1) == [0]
    rates = [
        module.drop_prob for module in create_model(DESIGN, drop_path_rate=0.6).modules() if type(module) is DropPath
    ]
    assert rates == drop_path_rates(0.6, 4)[1:]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_samples_are_dropped_whole_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(0)
    count = 20_000
    kept = DropPath(rate).train()(torch.ones(count, 2, 1, 3)).reshape(count, -1)
    assert (kept == kept[:, :1]).all()
    values = kept[:, 0]
    assert values.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    deviation = math.sqrt(rate * (1 - rate) / count)
    assert abs((values == 0).float().mean().item() - rate) < 5 * deviation
    assert abs(values.mean().item() - 1) < 5 * deviation / (1 - rate)


def test_a_rate_of_one_drops_all() -> None:
    assert not DropPath(1.0).train()(torch.ones(50, 2, 1, 1)).any()


def test_eval_mode_is_exact() -> None:
    plain = lively_network(DESIGN)
    dropping = create_model(DESIGN, drop_rate=0.5, drop_path_rate=0.5).eval()
    dropping.load_state_dict(plain.state_dict())
    assert dropping.drop_rate == 0.5
    assert torch.equal(dropping(IMAGES), plain(IMAGES))
    assert not torch.equal(dropping.train()(IMAGES), dropping(IMAGES))


@pytest.mark.parametrize("name", ["drop_rate", "drop_path_rate"])
@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, "0.1"])
def test_rates_that_are_refused(name: str, rate: object) -> None:
    with pytest.raises(InvalidDesignError, match=f"^{name} must be a number from 0 to 1, got "):
        create_model(DESIGN, **{name: rate})  # type: ignore[call-overload]
