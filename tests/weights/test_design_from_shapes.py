"""A checkpoint that nobody named: the design that its shapes show."""

import pytest

from designs import small_design
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.errors import WeightsError
from regnety.weights.design_from_shapes import infer_architecture
from regnety.weights.matching import match_shapes

Shapes = dict[str, tuple[int, ...]]

DESIGN = Design(depth=5, w0=24, wa=24, wm=2, group_width=8)
SHAPES: Shapes = DESIGN.architecture(7).state_dict_shapes()


def changed(**changes: tuple[int, ...] | None) -> Shapes:
    return {key: shape for key, shape in {**SHAPES, **changes}.items() if shape is not None}


@pytest.mark.parametrize("seed", range(60))
def test_any_design_is_found_in_its_shapes(seed: int) -> None:
    wanted = small_design(seed).architecture(5, 4)
    found = infer_architecture(wanted.state_dict_shapes(), source="x")
    assert found.state_dict_shapes() == wanted.state_dict_shapes()
    assert [block.groups for block in found.blocks] == [block.groups for block in wanted.blocks]
    assert (found.num_classes, found.in_chans) == (5, 4)


def test_a_linear_design_where_there_is_one() -> None:
    found = infer_architecture(SHAPES, source="x").design
    assert isinstance(found, Design)
    assert found.fitted_stages() == DESIGN.fitted_stages()


def test_a_table_of_stages_where_there_is_none() -> None:
    stages = (StageDesign(width=64, depth=2, group_width=16), StageDesign(width=32, depth=1, group_width=8))
    design = AnyNetDesign(stages=stages, se_ratio=0.5, stem_width=24)
    assert infer_architecture(design.architecture().state_dict_shapes(), source="x").design == design


def test_a_file_without_classifier_or_counters() -> None:
    shapes = {key: shape for key, shape in SHAPES.items() if "head" not in key and "tracked" not in key}
    assert infer_architecture(shapes, source="x").num_classes == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"s2.b1.conv3.bn.bias": (4,)}, "s2.b1.conv3.bn.bias is (4,), a RegNet with these stages expects (48,)"),
        ({"s1.b1.conv1.conv.weight": None}, "has no stage: s1.b1.conv1.conv.weight is missing"),
        ({"stem.conv.weight": None}, "lacks stem.conv.weight"),
        ({"stem.conv.weight": (32, 3)}, "stem.conv.weight is (32, 3), which no layer of a RegNet has"),
        ({"s1.b1.conv3.conv.weight": (24, 0, 1, 1)}, "s1.b1.conv3.conv.weight is (24, 0, 1, 1), which no layer"),
        ({"s1.b1.conv3.conv.weight": (24, 16, 1, 1)}, "s1.b1.conv3.conv.weight is (24, 16, 1, 1): neither width is a"),
        ({"s2.b1.se.fc1.weight": (99, 48, 1, 1)}, "its squeeze widths follow no ratio of the widths that enter"),
        ({"s1.b1.conv2.conv.weight": (24, 7, 3, 3)}, "s1.b1.conv1.conv.weight is (24, 32, 1, 1), a RegNet with these"),
        ({"stem.conv.weight": (1 << 30, 3, 3, 3)}, "stem_width must be a whole number from 1 to 1048576"),
        ({"s9.b1.extra": (3,)}, "has s9.b1.extra, which a RegNet with these stages does not know"),
    ],
    ids=str,
)
def test_what_is_no_regnet_is_one_line(changes: Shapes, message: str) -> None:
    with pytest.raises(WeightsError) as raised:
        infer_architecture(changed(**changes), source="birds.pth")
    assert str(raised.value).startswith(f"birds.pth: {message}")
    with pytest.raises(WeightsError, match=r"^birds.pth: "):
        match_shapes(changed(**changes), source="birds.pth")


def test_a_match_in_words() -> None:
    assert str(match_shapes(SHAPES, source="x")).startswith("depth=5,w0=24,wa=")
    stages = (StageDesign(width=64, depth=2, group_width=16), StageDesign(width=32, depth=1, group_width=8))
    shapes = AnyNetDesign(stages=stages).architecture(3).state_dict_shapes()
    assert str(match_shapes(shapes, source="x")) == "an AnyNet of 2 stages with 3 classes"
