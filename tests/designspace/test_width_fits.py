"""e_fit: linear designs fitted to lists of widths; trends; and published models near a design."""

import itertools
import math

import numpy as np
import pytest

from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import list_models, model_info
from regnety.designspace.published_neighbours import nearest_models
from regnety.designspace.trends import fit_trend
from regnety.designspace.width_fits import fit_design, fit_widths
from regnety.errors import DataError, InvalidDesignError

PUBLISHED = [
    name for name in list_models("regnet*") if name[:8] in ("regnetx_", "regnety_") and model_info(name).weights
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_is_linear(name: str) -> None:
    """Also where only the stages are known."""
    design = model_info(name).design
    stages = AnyNetDesign(stages=design.fitted_stages(), se_ratio=design.se_ratio)
    fit = fit_design(stages)
    assert fit.error == 0
    assert list(fit.widths) == [stage.width for stage in design.fitted_stages() for _ in range(stage.depth)]
    assert fit_design(design).error == 0


def test_widths_without_groups_are_found_again() -> None:
    for numbers in ((13, 24, 36.44, 2.49), (27, 48, 20.71, 2.65), (20, 232, 115.89, 2.53), (7, 8, 0.0, 2.0)):
        depth, w0, wa, wm = numbers
        widths = [
            w for w, d in Design(depth=depth, w0=w0, wa=wa, wm=wm, group_width=1).grouped_widths() for _ in range(d)
        ]
        fit = fit_widths(widths)
        assert (fit.error, fit.w0, list(fit.widths)) == (0, w0, widths), numbers


def test_the_error_is_the_mean_logarithm_of_the_factor() -> None:
    widths = [64, 512, 32, 256]  # falls and rises: no linear design is near
    fit = fit_widths(widths)
    assert fit.error == sum(abs(math.log(a / b)) for a, b in zip(fit.widths, widths, strict=True)) / 4
    assert fit.error > 0.4
    assert all(narrow <= wide for narrow, wide in itertools.pairwise(fit.widths))
    falling = AnyNetDesign(
        stages=(StageDesign(width=64, depth=2, group_width=8), StageDesign(width=32, depth=2, group_width=8))
    )
    assert fit_design(falling).error > 0.1


@pytest.mark.parametrize("widths", [[], [0], [8, 2.5], [1 << 21]])
def test_what_is_no_list_of_widths(widths: list[int]) -> None:
    with pytest.raises(InvalidDesignError, match="widths must be"):
        fit_widths(widths)


def test_a_published_model_is_its_own_neighbour() -> None:
    first, second, *_ = nearest_models(model_info("regnety_040").design)
    assert (first.model, first.distance) == ("regnety_040", 0)
    assert second.distance > 0
    assert first.top1 == pytest.approx(79.2, abs=0.1)
    near = nearest_models(Design(depth=13, w0=24, wa=37, wm=2.49, group_width=8, se_ratio=0), count=2)
    assert [neighbour.model for neighbour in near] == ["regnetx_002", "regnety_002"]


def test_trends_are_least_squares() -> None:
    x = np.array([1e9, 2e9, 3e9, 5e9])
    line = fit_trend(x, 3e6 + 2e-3 * x)
    assert line.coefficients == pytest.approx((3e6, 2e-3))
    assert line.determination == pytest.approx(1)
    bent = fit_trend(np.arange(6.0), np.array([4.0, 1, 0, 1, 4, 9]), degree=2)
    assert bent.coefficients == pytest.approx((4, -4, 1))
    assert bent.at(7) == pytest.approx(25)
    # y = 0, 1, 0 over x = 0, 1, 2: the line is flat and explains nothing
    assert fit_trend(np.arange(3.0), np.array([0.0, 1, 0])).determination == pytest.approx(0)
    assert fit_trend(np.arange(3.0), np.ones(3)).determination == 1
    with pytest.raises(DataError, match="a trend of degree 2 needs 3 different values, got 2"):
        fit_trend(np.array([1.0, 2, 2]), np.zeros(3), degree=2)
    with pytest.raises(DataError, match="as many x as y"):
        fit_trend(np.zeros(3), np.zeros(2))
