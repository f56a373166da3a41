"""A checkpoint is known by the shapes of its tensors."""

import json
from pathlib import Path

import pytest

import goldens
from designs import small_design
from regnety.catalog.models import model_info
from regnety.errors import WeightsError
from regnety.weights import matching
from regnety.weights.matching import fitting_model, match_shapes

SHAPES = goldens.state_dict_shapes()
REGNETY_002 = SHAPES["regnety_002"]


def changed(**changes: tuple[int, ...] | None) -> dict[str, tuple[int, ...]]:
    return {key: shape for key, shape in {**REGNETY_002, **changes}.items() if shape is not None}


@pytest.mark.parametrize("name", SHAPES)
def test_every_published_model_is_known(name: str) -> None:
    match = match_shapes(SHAPES[name], source="x")
    assert (match.model, match.architecture) == (name, model_info(name).design.architecture())
    assert str(match) == name


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
            "s3.b1.conv1.conv.weight is (256, 112, 1, 1), regnety_002 wants (152, 56, 1, 1)",
        ),
        (
            {"s4.b7.conv1.conv.weight": None},
            "lacks s4.b7.conv1.conv.weight, which regnety_002 wants as (368, 368, 1, 1)",
        ),
        ({"head.fc.bias": None}, "lacks head.fc.bias, which regnety_002 wants as (1000,)"),
        ({"head.fc.weight": None}, "has head.fc.bias, which regnety_002 does not know"),
        ({"head.fc.weight": ()}, "has head.fc.weight, which regnety_002 does not know"),
        ({"head.fc.weight": (2**40, 368)}, "head.fc.weight is (1099511627776, 368), regnety_002 wants (1000, 368)"),
        ({"stem.conv.weight": ()}, "stem.conv.weight is (), regnety_002 wants (32, 3, 3, 3)"),
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
    assert str(raised.value) == (
        f"birds.safetensors: {message}; none of the published models fits, regnety_002 is closest"
    )
    assert fitting_model(changed(**changes)) is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("trunk_output.block1.block1-0.f.a.0.weight", "its keys are torchvision's, as in trunk_output.block1"),
        ("s1.b1.f.a.weight", "its keys are pycls's, as in s1.b1.f.a.weight; only timm's, as stem.conv.weight, can be"),
        ("regnet.embedder.embedder.convolution.weight", "its keys are transformers', as in regnet.embedder"),
        ("module.stem.conv.weight", "its keys begin with 'module.', as in module.stem.conv.weight; timm's keys"),
        ("conv1.weight", "is no RegNet with timm's keys: it lacks stem.conv.weight, and has conv1.weight"),
    ],
)
def test_other_dialects_are_named(key: str, message: str) -> None:
    with pytest.raises(WeightsError) as raised:
        match_shapes({key: (1,)}, source="birds.safetensors")
    assert str(raised.value).startswith(f"birds.safetensors: {message}")


def test_a_file_without_tensors() -> None:
    with pytest.raises(WeightsError, match=r"^x: holds no tensors$"):
        match_shapes({}, source="x")


@pytest.mark.parametrize("seed", range(16))
def test_other_designs_are_refused(seed: int) -> None:
    with pytest.raises(WeightsError, match=r"; none of the published models fits, regnet\w+ is closest$"):
        match_shapes(small_design(seed).architecture().state_dict_shapes(), source="x")


def test_pyclss_own_keys_are_known_as_such(shared: Path) -> None:
    shapes = json.loads((shared / "reference" / "pycls_state_dict_regnety_002.json").read_text("utf-8"))
    with pytest.raises(WeightsError, match="its keys are pycls's"):
        match_shapes(shapes, source="x")
