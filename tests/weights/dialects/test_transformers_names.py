"""transformers' names, and what its RegNet can build, against transformers."""

from typing import Any

import pytest
import torch
from hypothesis import given

import designs
from both_ways import check_both_ways, shapes_of_module, state_of, stored, tensors_of, their_shapes, translate
from bundles import SMALL_DESIGN, random_weights
from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import EMBEDDED_MODELS, list_models, model_info
from regnety.weights.dialects.registry import in_dialect
from regnety.weights.dialects.transformers import TRANSFORMERS, groups_width

MODELS = [name for name in list_models() if name not in EMBEDDED_MODELS]
SMALL = ("regnety_002", "regnety_004", "regnety_006", "regnety_008", "regnetx_002", "regnetx_008")
LARGE = ("regnety_040", "regnety_032", "regnetx_080")


def configuration(transformers: Any, architecture: Architecture, width: int | None = None) -> Any:
    return transformers.RegNetConfig(
        num_channels=architecture.in_chans,
        embedding_size=architecture.stem.width_out,
        hidden_sizes=[stage.width for stage in architecture.stages],
        depths=[stage.depth for stage in architecture.stages],
        groups_width=width or groups_width(architecture),
        layer_type="y" if architecture.design.se_ratio else "x",
        downsample_in_first_stage=architecture.stages[0].stride == 2,
        num_labels=architecture.num_classes,
    )


def built(transformers: Any, architecture: Architecture) -> Any:
    return transformers.RegNetForImageClassification(configuration(transformers, architecture))


@pytest.mark.parametrize("name", MODELS)
def test_keys_and_order_of_every_model(name: str, transformers: Any) -> None:
    architecture = model_info(name).design.architecture(7, in_chans=2)
    assert TRANSFORMERS.obstacle(architecture) is None
    with torch.device("meta"):
        wanted = shapes_of_module(built(transformers, architecture))
    assert list(their_shapes(TRANSFORMERS, architecture).items()) == list(wanted.items())


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_numbers(name: str, transformers: Any) -> None:
    architecture = model_info(name).design.architecture(11)
    check_both_ways(
        TRANSFORMERS, architecture, built(transformers, architecture), logits=lambda outputs: outputs.logits
    )


@pytest.mark.parametrize("se_ratio", [0.0, 0.25])
@pytest.mark.parametrize("first_stride", [1, 2])
def test_numbers_of_an_anynet(se_ratio: float, first_stride: int, transformers: Any) -> None:
    design = AnyNetDesign(
        stages=(
            StageDesign(width=12, depth=2, group_width=12, stride=first_stride),
            StageDesign(width=20, depth=1, group_width=10),
            StageDesign(width=20, depth=2, group_width=10),
        ),
        se_ratio=se_ratio,
        stem_width=12,
    )
    architecture = design.architecture(5, in_chans=1)
    check_both_ways(
        TRANSFORMERS, architecture, built(transformers, architecture), logits=lambda outputs: outputs.logits
    )


def test_a_model_without_head_lacks_the_leading_name(transformers: Any) -> None:
    architecture = model_info("regnety_002").design.architecture(0)
    model = transformers.RegNetModel(configuration(transformers, architecture))
    theirs = in_dialect(TRANSFORMERS, architecture, random_weights(architecture))
    bare = {key.removeprefix("regnet."): tensor for key, tensor in theirs.items()}
    model.load_state_dict(state_of(bare))
    translation = translate(tensors_of(model), source="x")
    assert (translation.dialect, translation.prefix) == (TRANSFORMERS, "")
    assert list(translation.tensors) == [
        key for key in TRANSFORMERS.their_keys(architecture).values() if not key.startswith("head.")
    ]
    with torch.device("meta"):
        assert list(shapes_of_module(built(transformers, architecture))) == list(theirs)


def fits(transformers: Any, architecture: Architecture, width: int) -> bool:
    """Whether a groups_width gives a network of transformers with the shapes of the description."""
    try:
        with torch.device("meta"):
            module = transformers.RegNetForImageClassification(configuration(transformers, architecture, width))
    except ValueError:  # a width that is not divisible by its number of groups
        return False
    return shapes_of_module(module) == their_shapes(TRANSFORMERS, architecture)


@pytest.mark.parametrize("groups", [(10, 11), (10, 20), (8, 4), (5, 20)])
@pytest.mark.parametrize("first_width", [20, 22, 40])
def test_there_is_a_groups_width_where_any_value_gives_the_groups(
    first_width: int, groups: tuple[int, int], transformers: Any
) -> None:
    design = AnyNetDesign(
        stages=(
            StageDesign(width=first_width, depth=1, group_width=groups[0]),
            StageDesign(width=44, depth=1, group_width=groups[1]),
        )
    )
    architecture = design.architecture(2)
    fitting = [width for width in range(1, 50) if fits(transformers, architecture, width)]
    assert (groups_width(architecture) in fitting) if fitting else (groups_width(architecture) is None)
    assert (TRANSFORMERS.obstacle(architecture) is None) == bool(fitting)


@given(designs.designs(max_depth=6) | designs.anynet_designs(max_stages=3, max_stage_depth=2))
@designs.examples(80)
def test_whatever_has_no_obstacle_can_be_built(transformers: Any, design: AnyDesign) -> None:
    architecture = design.architecture(5)
    if TRANSFORMERS.obstacle(architecture) is None:
        width = groups_width(architecture)
        assert width is not None
        assert fits(transformers, architecture, width)


SEVEN = {"depth": 7, "w0": 16, "wa": 12, "wm": 1.8, "group_width": 4}


@pytest.mark.parametrize(
    ("design", "obstacle"),
    [
        (SMALL_DESIGN, "its stem has stride 1, transformers' has 2"),
        (Design(**SEVEN, stage_strides=(3, 2, 2, 2)), "its first stage has stride 3, transformers' has 1 or 2"),
        (
            Design(**SEVEN, stage_strides=(2, 2, 1, 2)),
            "stage s3 has stride 1, transformers' have 2 from the second on",
        ),
        (Design(**SEVEN, bottleneck_multiplier=2), "stage s1 has a bottleneck_multiplier other than 1"),
        (
            Design(**SEVEN, se_ratio=0.5),
            "s1.b1.se squeezes to 16 channels, transformers' to a quarter of its input",
        ),
        (
            AnyNetDesign(
                stages=(
                    StageDesign(width=64, depth=1, group_width=8),
                    StageDesign(width=128, depth=1, group_width=16),
                )
            ),
            "no single groups_width gives the groups of all its stages",
        ),
    ],
    ids=str,
)
def test_obstacles(design: AnyDesign, obstacle: str) -> None:
    assert TRANSFORMERS.obstacle(design.architecture()) == obstacle


def test_layers_are_numbered_otherwise_without_squeeze_excitation() -> None:
    plain = SMALL_DESIGN.architecture(0).state_dict_shapes()
    key = "regnet.encoder.stages.0.layers.0.layer."
    assert TRANSFORMERS.our_key(f"{key}3.convolution.weight") == "s1.b1.conv3.conv.weight" in plain
    assert TRANSFORMERS.our_key(f"{key}2.convolution.weight") == "s1.b1.conv3.conv.weight"
    assert TRANSFORMERS.our_key(f"{key}2.attention.2.bias") == "s1.b1.se.fc2.bias" in plain


def test_flat() -> None:
    tensors = stored(random_weights(SMALL_DESIGN.architecture(3)))
    assert TRANSFORMERS.nest(tensors) == tensors
