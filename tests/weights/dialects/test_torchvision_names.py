"""torchvision's names, and what torchvision can build, against torchvision."""

from typing import Any

import pytest
import torch

import designs
from both_ways import check_both_ways, shapes_of_module, their_shapes
from bundles import SMALL_DESIGN
from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import list_models, model_info
from regnety.weights.dialects.torchvision import TORCHVISION

OURS = {
    "regnet_y_400mf": "regnety_004",
    "regnet_y_800mf": "regnety_008_tv",
    "regnet_y_1_6gf": "regnety_016",
    "regnet_y_3_2gf": "regnety_032",
    "regnet_y_8gf": "regnety_080_tv",
    "regnet_y_16gf": "regnety_160",
    "regnet_y_32gf": "regnety_320",
    "regnet_y_128gf": "regnety_1280",
    "regnet_x_400mf": "regnetx_004_tv",
    "regnet_x_800mf": "regnetx_008",
    "regnet_x_1_6gf": "regnetx_016",
    "regnet_x_3_2gf": "regnetx_032",
    "regnet_x_8gf": "regnetx_080",
    "regnet_x_16gf": "regnetx_160",
    "regnet_x_32gf": "regnetx_320",
}
"""Its names of models to ours."""
SMALL = ("regnet_y_400mf", "regnet_y_800mf", "regnet_y_1_6gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf")
LARGE = ("regnet_y_3_2gf", "regnet_y_8gf", "regnet_x_3_2gf", "regnet_x_8gf")


def built(torchvision: Any, design: AnyDesign, num_classes: int) -> torch.nn.Module:
    regnet, stages = torchvision.models.regnet, design.fitted_stages()
    blocks = regnet.BlockParams(
        depths=[stage.depth for stage in stages],
        widths=[stage.width for stage in stages],
        group_widths=[stage.group_width for stage in stages],
        bottleneck_multipliers=[stage.bottleneck_multiplier for stage in stages],
        strides=[stage.stride for stage in stages],
        se_ratio=design.se_ratio,
    )
    return regnet.RegNet(blocks, num_classes=num_classes, stem_width=design.stem_width)


@pytest.mark.parametrize("name", OURS)
def test_keys_and_order_of_every_model(name: str, torchvision: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = torchvision.models.regnet._regnet

    def build_on_meta(*arguments: Any, **options: Any) -> torch.nn.Module:  # widths are computed before, by tensors
        with torch.device("meta"):
            return build(*arguments, **options)

    monkeypatch.setattr(torchvision.models.regnet, "_regnet", build_on_meta)
    wanted = shapes_of_module(torchvision.models.get_model(name))
    architecture = model_info(OURS[name]).design.architecture()
    assert TORCHVISION.obstacle(architecture) is None
    assert list(their_shapes(TORCHVISION, architecture).items()) == list(wanted.items())


def test_every_model_of_torchvision_is_compared(torchvision: Any) -> None:
    assert set(OURS) == set(torchvision.models.list_models(include="regnet*"))


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_numbers(name: str, torchvision: Any) -> None:
    peer = torchvision.models.get_model(name, num_classes=11)
    check_both_ways(TORCHVISION, model_info(OURS[name]).design.architecture(11), peer)


@pytest.mark.parametrize("multiplier", [1.0, 2.0, 1 / 2])
@pytest.mark.parametrize("se_ratio", [0.0, 0.5])
def test_numbers_of_an_anynet(multiplier: float, se_ratio: float, torchvision: Any) -> None:
    design = AnyNetDesign(
        stages=(
            StageDesign(width=24, depth=2, group_width=4, stride=1, bottleneck_multiplier=multiplier),
            StageDesign(width=20, depth=1, group_width=10, stride=3),
            StageDesign(width=48, depth=2, group_width=16),
        ),
        se_ratio=se_ratio,
        stem_width=12,
    )
    check_both_ways(TORCHVISION, design.architecture(5), built(torchvision, design, 5))


@pytest.mark.parametrize("name", list_models())
def test_every_design_with_a_stem_of_stride_2_can_be_built(name: str, torchvision: Any) -> None:
    check_can_be_built(model_info(name).design, torchvision)


@pytest.mark.parametrize("seed", range(24))
def test_every_small_design_with_a_stem_of_stride_2_can_be_built(seed: int, torchvision: Any) -> None:
    check_can_be_built(designs.small_design(seed), torchvision)


def check_can_be_built(design: AnyDesign, torchvision: Any) -> None:
    architecture = design.architecture(5)
    assert (TORCHVISION.obstacle(architecture) is None) == (design.stem_stride == 2)
    with torch.device("meta"):
        wanted = shapes_of_module(built(torchvision, design, 5))
    assert list(their_shapes(TORCHVISION, architecture).items()) == list(wanted.items())


@pytest.mark.parametrize(
    ("architecture", "obstacle"),
    [
        (SMALL_DESIGN.architecture(3), "its stem has stride 1, torchvision's has 2"),
        (
            Design(depth=2, w0=16, wa=16, wm=2, group_width=8).architecture(in_chans=4),
            "it takes 4 input channels, torchvision's networks take 3",
        ),
    ],
)
def test_obstacles(architecture: Architecture, obstacle: str) -> None:
    assert TORCHVISION.obstacle(architecture) == obstacle
