"""What a model in int8 records of how it came to be."""

import json
from dataclasses import replace
from typing import Any

import pytest

from quantized_models import CALIBRATION
from regnety.errors import WeightsError
from regnety.metadata.calibration import calibration_from_dict


def changed(**changes: Any) -> dict[str, Any]:
    return {**CALIBRATION.as_dict(), **changes}


def measured(**changes: Any) -> dict[str, Any]:
    return changed(measured={**CALIBRATION.as_dict()["measured"], **changes})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CALIBRATION.as_dict().items() if key != name}


@pytest.mark.parametrize(
    "calibration",
    [CALIBRATION, replace(CALIBRATION, measured=None), replace(CALIBRATION, max_drop=None, float_layers=())],
)
def test_it_survives_json(calibration: Any) -> None:
    assert calibration_from_dict(json.loads(json.dumps(calibration.as_dict()))) == calibration


def test_a_model_in_floating_point_has_none() -> None:
    assert calibration_from_dict(None) is None


def test_what_is_written_says_the_precision_and_what_was_lost() -> None:
    assert CALIBRATION.as_dict()["precision"] == "int8"
    assert CALIBRATION.as_dict()["measured"]["drop"] == CALIBRATION.measured.drop == 0.5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"^calibration must be a table of fields, got \[\]$"),
        ({}, "^calibration has the precision None, and only int8 is known$"),
        (changed(precision="int4"), "^calibration has the precision 'int4', and only int8 is"),
        (changed(colour="red"), "^calibration has no field 'colour'; it has method, "),
        (without("seed"), "^calibration lacks seed$"),
        (without("float_layers"), "^calibration lacks float_layers$"),
        (changed(float_layers="a"), "^calibration.float_layers must be a list, got 'a'$"),
        (changed(float_layers=[1]), "^each of calibration.float_layers must be a text, got 1$"),
        (changed(num_images="300"), "^calibration.num_images must be a whole number, got '300'$"),
        (changed(num_images=True), "^calibration.num_images must be a whole number, got True$"),
        (changed(num_images=1.5), "^calibration.num_images must be a whole number, got 1.5$"),
        (changed(max_drop=float("nan")), "^calibration.max_drop must be a number, got nan$"),
        (changed(method=None), "^calibration.method must be a text, got None$"),
        (changed(measured=3), "^calibration.measured must be a table of fields, got 3$"),
        (measured(top1_int8="88"), "^calibration.measured.top1_int8 must be a number, got '88'$"),
        (measured(count=None), "^calibration.measured.count must be a whole number, got None$"),
        (measured(top5=99), "^calibration.measured has no field 'top5'; it has data, "),
    ],
)
def test_what_is_not_understood_is_one_line(values: Any, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        calibration_from_dict(values)
