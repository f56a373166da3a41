"""Averaged weights."""

import numpy as np
import pytest
import torch
from torch import nn

from regnety.training.optimisation.weight_average import NewShare, WeightAverage, new_share
from regnety.training.recipes.recipe import Recipe


def share_of(steps_per_epoch: int = 100, **fields: float | int) -> NewShare:
    share = new_share(Recipe(name="test", **fields), steps_per_epoch)
    assert share is not None
    return share


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_averaged_weights_against_a_hand_computation() -> None:
    network = small_network()
    average = WeightAverage(network, share_of(ema_decay=0.5))
    expected = {key: value.double().numpy().copy() for key, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for update in range(1, 21):
        with torch.no_grad():
            for value in network.state_dict().values():
                if value.is_floating_point():
                    value.normal_(generator=generator)
                else:
                    value += 3
        average.update(network, update - 1)
        decay = min(0.5, (1 + update) / (10 + update))
        for key, value in network.state_dict().items():
            new = value.double().numpy()
            expected[key] = decay * expected[key] + (1 - decay) * new if value.is_floating_point() else new
    assert average.updates == 20
    assert average.state.keys() == expected.keys()
    for key, value in average.state.items():
        np.testing.assert_allclose(value.numpy(), expected[key], rtol=1e-4, atol=1e-6, err_msg=key)
    assert average.state["1.num_batches_tracked"].item() == 60


def test_the_average_is_a_copy() -> None:
    network = small_network()
    average = WeightAverage(network, share_of(ema_decay=0.999))
    before = average.state["0.weight"].clone()
    with torch.no_grad():
        network[0].weight.zero_()
    torch.testing.assert_close(average.state["0.weight"], before)


def test_every_few_steps_of_an_epoch() -> None:
    network = small_network()
    average = WeightAverage(network, share_of(steps_per_epoch=5, ema_decay=0.5, ema_every=3))
    counts = []
    for step in range(10):
        average.update(network, step)
        counts.append(average.updates)
    assert counts == [1, 1, 1, 2, 2, 3, 3, 3, 4, 4]


def test_no_average() -> None:
    assert new_share(Recipe(name="test", ema_decay=0.0), 10) is None


def test_a_short_run_averages_after_as_much_warm_up_as_its_schedule_has() -> None:
    share = share_of(steps_per_epoch=10, ema_alpha=1e-3, epochs=10, warmup_epochs=5.0, batch_size=100)
    assert [share(step, 1) for step in (0, 19, 20)] == [1.0, 1.0, pytest.approx(0.01)]
