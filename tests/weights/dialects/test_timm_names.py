"""timm's names, and what timm can build, against timm."""

from typing import Any

import numpy as np
import pytest
import torch

from both_ways import check_both_ways, shapes_of_module, their_shapes
from bundles import SMALL_DESIGN
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import EMBEDDED_MODELS, list_models, model_info
from regnety.errors import InvalidDesignError
from regnety.weights.dialects.timm import TIMM

MODELS = [name for name in list_models() if name not in EMBEDDED_MODELS]
SMALL = ("regnety_002", "regnety_004", "regnety_006", "regnety_008_tv", "regnetx_002", "regnetx_004_tv")
FLOAT32 = Design(depth=10, w0=120, wa=81.49, wm=2.1, group_width=8)
"""One whose widths differ between single and double precision."""
LARGE = ("regnety_032", "regnety_080_tv", "regnetx_080")


def built(timm: Any, design: Design, **arguments: Any) -> torch.nn.Module:
    return timm.create_model(
        "regnety_002",
        depth=design.depth,
        w0=design.w0,
        wa=design.wa,
        wm=design.wm,
        group_size=design.group_width,
        bottle_ratio=design.bottleneck_multiplier,
        se_ratio=design.se_ratio,
        stem_width=design.stem_width,
        group_min_ratio=design.group_min_ratio,
        **arguments,
    )


@pytest.mark.parametrize("name", MODELS)
def test_keys_and_order_of_every_model(name: str, timm: Any) -> None:
    architecture = model_info(name).design.architecture(num_classes=7, in_chans=2)
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=7, in_chans=2)
    assert TIMM.obstacle(architecture) is None
    assert list(their_shapes(TIMM, architecture).items()) == list(shapes_of_module(model).items())
    assert all(theirs == ours for theirs, ours in TIMM.their_keys(architecture).items())


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_numbers(name: str, timm: Any) -> None:
    check_both_ways(TIMM, model_info(name).design.architecture(11), timm.create_model(name, num_classes=11))


@pytest.mark.parametrize("multiplier", [1.0, 2.0, 1 / 2])
def test_numbers_of_a_design_of_ones_own(multiplier: float, timm: Any) -> None:
    design = Design(
        depth=7, w0=16, wa=12, wm=1.8, group_width=4, bottleneck_multiplier=multiplier, se_ratio=0.5, stem_width=24
    )
    check_both_ways(TIMM, design.architecture(5, in_chans=1), built(timm, design, num_classes=5, in_chans=1))


@pytest.mark.parametrize(
    ("design", "obstacle"),
    [
        (SMALL_DESIGN, "it has 2 stages, timm's networks have 4"),
        (Design(depth=3, w0=16, wa=0, wm=2, group_width=8), "it has 1 stage, timm's networks have 4"),
        (
            AnyNetDesign(stages=(StageDesign(width=8, depth=1, group_width=8),) * 4),
            "its stages are given one by one, timm's follow w0, wa and wm",
        ),
        (
            Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8, stem_stride=1),
            "its stem or stage strides are not 2",
        ),
        (
            Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8, stage_strides=(2, 2, 2, 1)),
            "its stem or stage strides are not 2",
        ),
        (FLOAT32, "timm rounds its widths differently"),
    ],
    ids=str,
)
def test_obstacles(design: Any, obstacle: str) -> None:
    assert TIMM.obstacle(design.architecture()) == obstacle


def random_design(random: np.random.RandomState) -> Design:
    """Four stages with stride 2, and everything else as it comes."""
    while True:
        try:
            design = Design(
                depth=random.randint(4, 8),
                w0=8 * random.randint(1, 8),
                wa=random.uniform(20, 120),
                wm=random.uniform(1.3, 2.5),
                group_width=random.choice([1, 3, 5, 8, 16, 24]),
                bottleneck_multiplier=random.choice([1, 2, 3, 1 / 2, 1 / 3, 1 / 49]),
                se_ratio=random.choice([0, 0.25, 0.5]),
                stem_width=random.choice([16, 32]),
                group_min_ratio=random.choice([0, 0.5, 0.9]),
            )
        except InvalidDesignError:  # torchvision's rule with a multiplier above 1
            continue
        if len(design.fitted_stages()) == 4:
            return design


@pytest.mark.parametrize("seed", range(40))
def test_timm_builds_exactly_what_has_no_obstacle(seed: int, timm: Any) -> None:
    design = FLOAT32 if seed == 0 else random_design(np.random.RandomState(seed))
    architecture = design.architecture()
    try:
        with torch.device("meta"):
            same = shapes_of_module(built(timm, design)) == architecture.state_dict_shapes()
    except (ValueError, ZeroDivisionError, RuntimeError):
        same = False
    assert same == (TIMM.obstacle(architecture) is None)
