"""The description: keys, order and shapes, and its agreement with the design."""

import pytest
import torch
from hypothesis import given

import designs
import goldens
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError
from regnety.network.creation import create_model

SHAPES = goldens.state_dict_shapes()
DESIGN = model_info("regnety_002").design


def module_shapes(model: AnyDesign | str, **arguments: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = create_model(model, **arguments).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_keys_order_and_shapes_are_frozen(name: str) -> None:
    described = model_info(name).design.architecture().state_dict_shapes()
    assert list(described.items()) == list(SHAPES[name].items())
    assert list(module_shapes(name).items()) == list(SHAPES[name].items())


@given(designs.designs(max_depth=6))
@designs.examples(150)
def test_module_of_a_design_has_the_described_keys_and_shapes(design: Design) -> None:
    described = design.architecture(num_classes=7, in_chans=2).state_dict_shapes()
    assert list(module_shapes(design, num_classes=7, in_chans=2).items()) == list(described.items())


@given(designs.anynet_designs(max_stages=3, max_stage_depth=3))
@designs.examples(150)
def test_module_of_an_anynet_has_the_described_keys_and_shapes(design: AnyNetDesign) -> None:
    assert list(module_shapes(design).items()) == list(design.architecture().state_dict_shapes().items())


@given(designs.designs() | designs.anynet_designs())
@designs.examples(300)
def test_description_follows_the_design(design: AnyDesign) -> None:
    architecture = design.architecture(num_classes=0, in_chans=1)
    assert architecture.output_names == ("stem", *(f"s{i + 1}" for i in range(len(architecture.stages))), "pre_logits")
    width = design.stem_width
    for stage, wanted in zip(architecture.stages, design.fitted_stages(), strict=True):
        assert (stage.width, stage.depth, stage.inner_width, stage.group_width, stage.stride) == (
            *(wanted.width, wanted.depth, wanted.inner_width, wanted.group_width, wanted.stride),
        )
        for number, block in enumerate(stage.blocks):
            stride = stage.stride if number == 0 else 1
            assert (block.width_in, block.width, block.stride) == (width, stage.width, stride)
            assert (block.downsample is None) == (width == stage.width and stride == 1)
            assert (block.se.se_width if block.se else 0) == round(width * design.se_ratio)
            width = block.width
    assert architecture.num_features == width


@given(designs.designs(max_depth=12))
@designs.examples(100)
def test_design_equals_the_anynet_of_its_stages(design: Design) -> None:
    shared = {field: getattr(design, field) for field in ("se_ratio", "stem_width", "stem_stride", "group_min_ratio")}
    anynet = AnyNetDesign(stages=design.fitted_stages(), **shared)
    assert anynet.architecture().stages == design.architecture().stages


def test_architecture_of_an_architecture_changes_classifier_and_input_alone() -> None:
    architecture = DESIGN.architecture()
    assert architecture.architecture() == architecture
    other = architecture.architecture(num_classes=5, in_chans=4)
    changed = {
        key: shape for key, shape in other.state_dict_shapes().items() if shape != architecture.state_dict_shapes()[key]
    }
    assert changed == {"stem.conv.weight": (32, 4, 3, 3), "head.fc.weight": (5, 368), "head.fc.bias": (5,)}


def test_without_classifier_there_is_no_head() -> None:
    architecture = DESIGN.architecture(num_classes=0)
    assert [key for key in architecture.state_dict_shapes() if key.startswith("head")] == []
    assert architecture.output_names == ("stem", "s1", "s2", "s3", "s4", "pre_logits")


def test_squeeze_width_follows_the_width_that_enters_the_block() -> None:
    stage = StageDesign(width=64, depth=2, bottleneck_multiplier=2, group_width=16)
    first, second = AnyNetDesign(stages=(stage,), stem_width=10).architecture().blocks
    assert first.se is not None
    assert (first.se.se_width, first.se.width) == (2, 128)  # round(10 / 4) goes to even
    assert second.se is not None
    assert (second.se.se_width, second.se.width) == (16, 128)


@pytest.mark.parametrize(("field", "wrong"), [("num_classes", -1), ("num_classes", 2.0), ("in_chans", 0)])
def test_wrong_classes_or_channels_are_refused_by_name(field: str, wrong: object) -> None:
    with pytest.raises(InvalidDesignError, match=f"^{field} must be a whole number from .*, got {wrong}$"):
        DESIGN.architecture(**{field: wrong})
