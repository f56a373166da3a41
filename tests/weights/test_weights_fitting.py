"""Whether weights fit: the message names the file, the key and both shapes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regnety.catalog.models import model_info
from regnety.errors import WeightsError
from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
from regnety.weights.shape_check import check_fit

ARCHITECTURE = model_info("regnety_002").design.architecture()
WEIGHTS = {key: np.zeros(shape, np.float16) for key, shape in ARCHITECTURE.state_dict_shapes().items()}
CHANGES: list[tuple[dict[str, Any], str]] = [
    (
        {"s3.b1.conv1.conv.weight": np.zeros((256, 112, 1, 1))},
        "s3.b1.conv1.conv.weight is (256, 112, 1, 1), the architecture expects (152, 56, 1, 1)",
    ),
    ({"head.fc.bias": np.zeros(10)}, "head.fc.bias is (10,), the architecture expects (1000,)"),
    ({"stem.bn.num_batches_tracked": np.zeros(1)}, "stem.bn.num_batches_tracked is (1,), the architecture expects ()"),
    ({"s4.b7.se.fc2.bias": None}, "lacks s4.b7.se.fc2.bias, which the architecture expects as (368,)"),
    (
        {"stem.conv.weight": None, "head.fc.bias": None},
        "lacks stem.conv.weight, which the architecture expects as (32, 3, 3, 3) (1 more differs: head.fc.bias)",
    ),
    ({"s4.b8.conv1.conv.weight": np.zeros(1)}, "has s4.b8.conv1.conv.weight, which the architecture does not know"),
    ({"module.stem.conv.weight": np.zeros(1)}, "has module.stem.conv.weight, which the architecture does not know"),
]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**WEIGHTS, **changes}.items() if value is not None}


@pytest.mark.parametrize(("changes", "message"), CHANGES, ids=[message.partition(",")[0] for _, message in CHANGES])
def test_difference_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        check_fit(ARCHITECTURE, changed(changes), source="birds.safetensors")
    assert str(raised.value) == f"birds.safetensors: {message}"
    write_safetensors(tmp_path / "birds.safetensors", changed(changes))
    with pytest.raises(WeightsError) as raised:
        check_fit(ARCHITECTURE, SafetensorsWeights(tmp_path / "birds.safetensors"), source="birds.safetensors")
    assert str(raised.value) == f"birds.safetensors: {message}"


def test_fitting_weights_pass_and_counters_may_be_absent(tmp_path: Path) -> None:
    weights = {key: value for key, value in WEIGHTS.items() if not key.endswith("num_batches_tracked")}
    assert len(weights) < len(WEIGHTS)
    for fitting in (WEIGHTS, weights, dict(reversed(WEIGHTS.items()))):
        check_fit(ARCHITECTURE, fitting, source="here")
    write_safetensors(tmp_path / "w.safetensors", weights)
    check_fit(ARCHITECTURE, SafetensorsWeights(tmp_path / "w.safetensors"), source="here")


def test_shapes_are_compared_without_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_safetensors(tmp_path / "w.safetensors", WEIGHTS)
    read: list[str] = []
    monkeypatch.setattr(SafetensorsWeights, "__getitem__", lambda self, key: read.append(key))
    check_fit(ARCHITECTURE, SafetensorsWeights(tmp_path / "w.safetensors"), source="here")
    assert read == []


@pytest.mark.parametrize(("fits", "other"), [("regnety_002", "regnety_004"), ("regnety_008", "regnety_008_tv")])
def test_weights_of_another_model_do_not_fit(fits: str, other: str) -> None:
    weights = {
        key: np.zeros(shape) for key, shape in model_info(fits).design.architecture().state_dict_shapes().items()
    }
    check_fit(model_info(fits).design.architecture(), weights, source="here")
    with pytest.raises(WeightsError, match=r"^here: "):
        check_fit(model_info(other).design.architecture(), weights, source="here")


def test_the_model_that_a_file_does_fit_is_named() -> None:
    other = model_info("regnety_006").design.architecture(10).state_dict_shapes()
    with pytest.raises(WeightsError) as raised:
        check_fit(ARCHITECTURE, {key: np.zeros(shape, np.float16) for key, shape in other.items()}, source="b")
    assert str(raised.value).startswith("b: has s1.b1") or str(raised.value).startswith("b: lacks ")
    assert str(raised.value).endswith("; the file fits regnety_006 with 10 classes")
