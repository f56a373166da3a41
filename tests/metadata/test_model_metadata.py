"""The JSON under the key `regnety`: written, read back, and refused where it is not understood."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

import designs
from quantized_models import CALIBRATION
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import Design
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import FORMAT_VERSION, ModelMetadata, metadata_from_dict, metadata_from_json
from regnety.preprocessing import Preprocessing

METADATA = ModelMetadata(
    design=Design(depth=2, w0=16, wa=16, wm=2, group_width=8),
    num_classes=2,
    in_chans=1,
    preprocessing=Preprocessing(image_size=32, mean=(0.5,), std=(0.25,), interpolation="bilinear"),
    labels=("früh", "spät"),
    provenance={"license": "mit", "seeds": [1, 2]},
)


@given(designs.designs(max_depth=12) | designs.anynet_designs())
@designs.examples(200)
def test_metadata_of_any_design_survives_json(design: AnyDesign) -> None:
    metadata = ModelMetadata(design=design, num_classes=9, in_chans=3, preprocessing=Preprocessing())
    assert metadata_from_json(metadata.as_json(), source="here") == metadata


def test_every_field_survives_json() -> None:
    assert metadata_from_json(METADATA.as_json(), source="here") == METADATA
    assert METADATA.as_json() == METADATA.as_json()
    assert json.loads(METADATA.as_json()) == METADATA.as_dict()
    assert METADATA.as_dict()["format_version"] == 1


def test_a_model_in_int8_has_a_later_version_which_says_to_an_earlier_release_what_it_is() -> None:
    assert replace(METADATA, calibration=CALIBRATION).as_dict()["format_version"] == FORMAT_VERSION == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 3}, "^birds.onnx: has format_version 3, this release reads up to 2; .* --upgrade regnety$"),
        ({"format_version": 10**9}, "^birds.onnx: has format_version 1000000000, .* --upgrade regnety$"),
        ({"format_version": None}, "^birds.onnx: format_version is None, not a whole number$"),
        ({"format_version": 0}, "^birds.onnx: format_version is 0, not a whole number"),
        ({"format_version": "1"}, "^birds.onnx: format_version is '1', not a whole number$"),
        ({"design": {"depth": 2}}, "^birds.onnx: Design lacks w0"),
        ({"design": None}, "^birds.onnx: a design must be a table"),
        ({"labels": ["one"]}, "^birds.onnx: there is 1 label for 2 classes$"),
        ({"labels": "ab"}, "^birds.onnx: labels must be a list, got 'ab'$"),
        ({"labels": [1, 2]}, "^birds.onnx: each of labels must be a text, got 1$"),
        ({"preprocessing": {"image_size": 0}}, "^birds.onnx: image_size must be "),
        ({"preprocessing": {"size": 32}}, "^birds.onnx: preprocessing has no field 'size'"),
        ({"preprocessing": None}, "^birds.onnx: preprocessing must be a table"),
        ({"preprocessing": {}}, "^birds.onnx: preprocessing has a mean for 3 channels, the model takes 1$"),
        ({"provenance": ["mit"]}, "^birds.onnx: provenance must be a table, got "),
    ],
)
def test_wrong_field_is_one_line_that_names_the_file(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as raised:
        metadata_from_dict({**METADATA.as_dict(), **changes}, source="birds.onnx")
    assert "\n" not in str(raised.value)


def test_facts_in_facts_have_an_end() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = "x"
        for level in range(levels):
            value = {"a": value} if level % 2 else [value]
        return {**METADATA.as_dict(), "provenance": {"facts": value}}

    assert metadata_from_dict(nested(19), source="birds.onnx").provenance
    for levels in (20, 100_000):
        with pytest.raises(WeightsError, match=r"^birds\.onnx: provenance is nested deeper than 20 levels$"):
            metadata_from_dict(nested(levels), source="birds.onnx")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("num_classes", "2"), ("num_classes", -2), ("num_classes", None), ("in_chans", 1.0), ("in_chans", 0)],
)
def test_wrong_count_is_refused_by_name(field: str, wrong: object) -> None:
    values = {**METADATA.as_dict(), "labels": None, field: wrong}
    if field == "in_chans":
        values["preprocessing"] = {}
    with pytest.raises(WeightsError, match=rf"^birds\.onnx: {field} must be "):
        metadata_from_dict(values, source="birds.onnx")


@pytest.mark.parametrize("field", ["design", "num_classes", "in_chans", "preprocessing"])
def test_missing_field_is_named(field: str) -> None:
    values = METADATA.as_dict()
    del values[field]
    with pytest.raises(WeightsError, match=f"^birds.onnx: the table 'regnety' lacks {field}$"):
        metadata_from_dict(values, source="birds.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "^birds.onnx: the text under the key 'regnety' is not JSON: "),
        ("{", "^birds.onnx: the text under the key 'regnety' is not JSON: "),
        ("[]", "^birds.onnx: has no table under the key 'regnety', so regnety did not write it$"),
        ("{}", "^birds.onnx: format_version is None"),
    ],
)
def test_wrong_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        metadata_from_json(text, source="birds.onnx")


def test_labels_have_one_form_of_unicode() -> None:
    values = ModelMetadata(
        design=Design(depth=2, w0=16, wa=16, wm=2, group_width=8),
        num_classes=2,
        in_chans=3,
        preprocessing=Preprocessing(),
        labels=("cre\u0300me", "\u1100\u1161"),
    )
    assert values.labels == ("cr\u00e8me", "\uac00")
    stored = {**values.as_dict(), "labels": ["cre\u0300me", "\u1100\u1161"]}
    assert metadata_from_dict(stored, source="config.json").labels == values.labels
