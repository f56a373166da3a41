"""Design spaces as values: what they hold, and what they refuse."""

import json
from typing import Any

import numpy as np
import pytest

from regnety.architecture.counting import complexity
from regnety.catalog.models import model_info
from regnety.designspace.designs import column_types
from regnety.designspace.spaces import ACTIVATIONS_BOUND, PARAMS_BOUND, SPACES, DesignSpace, space_from_dict
from regnety.errors import InvalidDesignError

SIZES = ("002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320")
PUBLISHED = [f"regnet{kind}_{size}" for kind in "xy" for size in SIZES]
"""The 24 models of the paper's tables."""


@pytest.mark.parametrize("name", SPACES)
def test_a_space_is_plain_values_and_back(name: str) -> None:
    space = SPACES[name](macs=(1e6, 400e6), image_size=(32, 48), num_classes=10, stem_stride=1)
    assert space_from_dict(json.loads(json.dumps(space.as_dict()))) == space
    assert hash(space) == hash(space.replace())
    assert space.name == name


def test_the_papers_restrictions_by_letter() -> None:
    restrictions = ("share_multiplier", "share_group_width", "widths_do_not_fall", "depths_do_not_fall")
    for number, letter in enumerate("abcde"):
        space = SPACES[f"anynetx_{letter}"]()
        assert [getattr(space, name) for name in restrictions] == [n < number for n in range(4)]
        assert (space.se_ratio, space.num_stages) == (0, (4, 4))
    # each can be switched off
    assert SPACES["anynetx_e"](widths_do_not_fall=False).depths_do_not_fall
    assert DesignSpace.regnety(num_stages=None).num_stages is None
    assert DesignSpace.regnety().se_ratio == 0.25
    assert DesignSpace.regnety("pycls").no_step_skipped
    assert not DesignSpace.regnety("pycls", no_step_skipped=False).no_step_skipped


def test_ranges_by_name_and_ones_own() -> None:
    paper = DesignSpace.regnetx().ranges
    assert paper.depth.limits == (1, 63)  # type: ignore[union-attr]
    own = DesignSpace.regnetx(depth=(12, 28), group_width=(8, 16, 24), wm=2.5, bottleneck_multiplier=1).ranges
    assert own.depth.limits == (12, 28)
    assert own.group_width.values().tolist() == [8, 16, 24]
    assert own.wm.values().tolist() == [2.5]  # type: ignore[union-attr]
    constrained = DesignSpace.regnetx("constrained")
    assert (constrained.params_bound, constrained.activations_bound) == (PARAMS_BOUND, ACTIVATIONS_BOUND)
    assert constrained.replace(params_bound=None).params_bound is None
    assert constrained.replace(depth=(3, 9)).ranges.depth.limits == (3, 9)


def test_the_bounds_are_fitted_to_the_papers_models() -> None:
    counts = [complexity(model_info(name).design) for name in PUBLISHED]
    macs, params, activations = np.array([(c.macs, c.num_params, c.activations) for c in counts], float).T
    line, *_ = np.linalg.lstsq(np.stack([1 / params, macs / params], 1), np.ones(len(macs)), rcond=None)
    highest = (params / (line[0] + line[1] * macs)).max()
    np.testing.assert_allclose(PARAMS_BOUND, line * highest, rtol=0.005)
    np.testing.assert_allclose(ACTIVATIONS_BOUND, (activations / np.sqrt(macs)).max(), rtol=0.002)
    assert (params <= PARAMS_BOUND[0] + PARAMS_BOUND[1] * macs).all()
    assert (activations <= ACTIVATIONS_BOUND * np.sqrt(macs)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mac": (1, 2)}, "regnety has no 'mac'"),
        ({"macs": (2, 1)}, "macs: the lowest 2 is above the highest 1"),
        ({"macs": 3}, r"macs must be \(low, high\), got 3"),
        ({"macs": "12"}, r"macs must be"),
        ({"num_stages": (4, 2)}, "num_stages must be a whole number from 4 to 64, got 2"),
        ({"num_stages": 2.5}, "num_stages must be a whole number"),
        ({"image_size": 0}, "image_size must be"),
        ({"depth": (0, 5)}, "depth must be drawn from whole numbers from 1 to 4096"),
        ({"depth": (5, 2)}, "depth: the lowest value 5 is above the highest 2"),
        ({"depth": (1, 2, 3)}, r"depth must be \(low, high\), or a distribution"),
        ({"depth": "deep"}, "depth must be numbers, got 'deep'"),
        ({"w0": (8, 20)}, "w0: 8 to 20 must be whole multiples of the quantum 8"),
        ({"w0": (8, 1 << 20), "wa": (8, 1e5)}, "channels, over"),
        ({"wm": (1, 2)}, "wm must be drawn from above 1"),
        ({"group_width": (0.5,)}, "group_width must be drawn from whole numbers"),
        ({"bottleneck_multiplier": (0.3,)}, "bottleneck_multiplier must be a whole number up to 64, or one over it"),
        ({"widths_do_not_fall": True}, "widths_do_not_fall restricts AnyNets alone"),
        ({"no_step_skipped": 1}, "no_step_skipped must be true or false"),
        ({"stage_strides": (1, 2)}, "must be 4 strides"),
        ({"stage_strides": (1, 2, 2, 2), "num_stages": None}, "stage_strides needs a limit of num_stages"),
        ({"params_bound": 3}, r"params_bound must be \(a, b\)"),
        ({"se_ratio": -1}, "se_ratio must be a number from 0 to 16"),
        ({"image_size": 65536, "wa": (8, 5000)}, "cannot be counted in 64 bits"),
    ],
)
def test_spaces_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message) as error:
        DesignSpace.regnety(**changes)
    assert "\n" not in str(error.value)


def test_what_is_restricted_to_the_other_kind() -> None:
    with pytest.raises(InvalidDesignError, match="no_step_skipped restricts RegNets alone"):
        DesignSpace.anynetx_a(no_step_skipped=True)
    with pytest.raises(InvalidDesignError, match="num_stages of an AnyNet must be a number"):
        DesignSpace.anynetx_a(num_stages=None)
    with pytest.raises(InvalidDesignError, match="no ranges are called 'pycl'; known: paper, constrained, pycls"):
        DesignSpace.regnety("pycl")
    with pytest.raises(InvalidDesignError, match="not a design space"):
        space_from_dict({"name": "mine"})


def test_columns_have_types() -> None:
    assert column_types(DesignSpace.regnetx())["wa"] is np.float64
    assert column_types(DesignSpace.anynetx_a())["macs"] is np.int64
