"""A checkpoint is known by the shapes of its tensors."""

from dataclasses import replace

import pytest

import goldens
from designs import small_design
from regnety.catalog.models import model_info
from regnety.errors import WeightsError
from regnety.weights import matching
from regnety.weights.matching import fitting_model, match_shapes, name_of

SHAPES = goldens.state_dict_shapes()
REGNETY_002 = SHAPES["regnety_002"]


def changed(**changes: tuple[int, ...] | None) -> dict[str, tuple[int, ...]]:
    return {key: shape for key, shape in {**REGNETY_002, **changes}.items() if shape is not None}


@pytest.mark.parametrize("name", SHAPES)
def test_every_published_model_is_known(name: str) -> None:
    match = match_shapes(SHAPES[name], source="x")
    assert (match.model, match.architecture) == (name, model_info(name).design.architecture())
    assert str(match) == name


def test_a_network_with_the_shapes_of_a_published_one_may_have_other_strides() -> None:
    design = model_info("regnety_002").design
    assert name_of(design.architecture(10, in_chans=1)) == "regnety_002"
    assert name_of(replace(design, stage_strides=(1, 2, 2, 2)).architecture()) is None
    assert name_of(replace(design, se_ratio=0.125).architecture()) is None
    assert name_of(small_design(0).architecture()) is None


def test_no_two_models_have_one_signature() -> None:
    assert len(matching._models_by_signature()) == 30


def test_classes_and_input_channels_are_free() -> None:
    shapes = changed(**{"head.fc.weight": (10, 368), "head.fc.bias": (10,), "stem.conv.weight": (32, 1, 3, 3)})
    match = match_shapes(shapes, source="x")
    assert (match.architecture.num_classes, match.architecture.in_chans) == (10, 1)
    assert str(match) == "regnety_002 with 10 classes"


def test_a_checkpoint_without_classifier_has_no_classes() -> None:
    shapes = changed(**{"head.fc.weight": None, "head.fc.bias": None})
    assert match_shapes(shapes, source="x").architecture.num_classes == 0


def test_order_and_counters_do_not_matter() -> None:
    shapes = {key: shape for key, shape in reversed(REGNETY_002.items()) if not key.endswith("num_batches_tracked")}
    assert match_shapes(shapes, source="x").model == "regnety_002"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"s3.b1.conv1.conv.weight": (256, 112, 1, 1)},
            "s3.b1.conv1.conv.weight is (256, 112, 1, 1), regnety_002 expects (152, 56, 1, 1)",
        ),
        (
            {"s4.b7.conv1.conv.weight": None},
            "lacks s4.b7.conv1.conv.weight, which regnety_002 expects as (368, 368, 1, 1)",
        ),
        ({"head.fc.bias": None}, "lacks head.fc.bias, which regnety_002 expects as (1000,)"),
        ({"head.fc.weight": None}, "has head.fc.bias, which regnety_002 does not know"),
        ({"head.fc.weight": ()}, "has head.fc.weight, which regnety_002 does not know"),
        ({"head.fc.weight": (2**40, 368)}, "head.fc.weight is (1099511627776, 368), regnety_002 expects (1000, 368)"),
        ({"stem.conv.weight": ()}, "stem.conv.weight is (), regnety_002 expects (32, 3, 3, 3)"),
        ({"optimizer.lr": (1,)}, "has optimizer.lr, which regnety_002 does not know"),
        ({"s4.b8.conv1.conv.weight": (368, 368, 1, 1)}, "has s4.b8.conv1.conv.weight, which regnety_002 does not know"),
    ],
    ids=str,
)
def test_the_closest_model_and_the_first_difference_are_named(
    changes: dict[str, tuple[int, ...] | None], message: str
) -> None:
    with pytest.raises(WeightsError) as raised:
        match_shapes(changed(**changes), source="birds.safetensors")
    assert str(raised.value).startswith(f"birds.safetensors: {message}")
    assert "\n" not in str(raised.value)
    assert fitting_model(changed(**changes)) is None


@pytest.mark.parametrize("seed", range(4))
def test_designs_without_a_name_are_known_by_their_shapes(seed: int) -> None:
    architecture = small_design(seed).architecture()
    match = match_shapes(architecture.state_dict_shapes(), source="x")
    assert match.model is None
    assert match.architecture.state_dict_shapes() == architecture.state_dict_shapes()


@pytest.mark.parametrize("shapes", [{}, {"conv1.weight": (64, 3, 7, 7)}], ids=["nothing", "a ResNet"])
def test_what_is_no_regnet_has_no_closest_model(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(WeightsError, match=r"^x: has no stage: s1.b1.conv1.conv.weight is missing$"):
        match_shapes(shapes, source="x")
