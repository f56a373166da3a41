"""Designs as text and as JSON, there and back."""

import json
from typing import Any

import pytest
from hypothesis import given

import designs
from regnety.architecture.design import AnyDesign, Design
from regnety.architecture.notation import design_from_dict, parse_design
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError

TEXT = "depth=13,w0=24,wa=36.44,wm=2.49,group_width=8"
VALUES = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
STAGE = {"width": 48, "depth": 2, "group_width": 8}


def as_text(design: Design) -> str:
    values = {name: value for name, value in design.as_dict().items() if value is not None}
    if design.stage_strides is not None:
        values["stage_strides"] = ":".join(map(str, design.stage_strides))
    return ",".join(f"{name}={value}" for name, value in values.items())


@given(designs.designs())
@designs.examples(1000)
def test_design_survives_json_and_text(design: Design) -> None:
    assert design_from_dict(json.loads(json.dumps(design.as_dict()))) == design
    assert parse_design(as_text(design)) == design


@given(designs.anynet_designs())
@designs.examples(1000)
def test_anynet_survives_json(design: AnyDesign) -> None:
    assert design_from_dict(json.loads(json.dumps(design.as_dict()))) == design


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f" {TEXT} , ".replace(",", " , ").replace("=", " = "),
        f"{TEXT},stage_strides=2:2:2:2,bottleneck_multiplier=1,se_ratio=.25,stem_width=32,stem_stride=2",
    ],
)
def test_text_means_regnety_002(text: str) -> None:
    design = parse_design(text)
    assert design.architecture().stages == model_info("regnety_002").design.architecture().stages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{TEXT},dept=3", "^Design has no field 'dept'; it has depth, w0, wa, wm, group_width, "),
        (f"{TEXT},stages=3", "^Design has no field 'stages'"),
        (f"{TEXT},w0=24", "^w0 is given twice"),
        ("depth=13,w0=24,wa=36.44,wm=2.49", "^Design lacks .*group_width"),
        ("", "^Design lacks .*depth.*w0.*wa.*wm.*group_width"),
        (f"{TEXT},se_ratio", "name=value,.* got 'se_ratio'$"),
        (f"{TEXT},se_ratio=", "name=value,.* got 'se_ratio='$"),
        (f"{TEXT},se_ratio=none", "^se_ratio must be a number, got 'none'$"),
        (f"{TEXT},stage_strides=2:x:2:2", "^stage_strides must be a number, got 'x'$"),
        (f"{TEXT},stage_strides=2", "^stage_strides must be 4 strides, .* got 1$"),
        (f"{TEXT},stage_strides=2:2:2:2.5", "^each of stage_strides must be a whole number .* got 2.5$"),
        (f"{TEXT},se_ratio=nan", "^se_ratio must be a number from 0 to 16, got nan$"),
        (f"{TEXT},stem_width=inf", "^stem_width must be a whole number from 1 to .* got inf$"),
        (TEXT.replace("13", "13.5"), "^depth must be a whole number .* got 13.5$"),
    ],
)
def test_wrong_text_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        parse_design(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "^a design must be a table of fields, got None$"),
        ([VALUES], "^a design must be a table of fields"),
        ({**VALUES, "dept": 3}, "^Design has no field 'dept'; it has depth, "),
        ({"depth": 13}, "^Design lacks .*w0.*wa.*wm.*group_width"),
        ({**VALUES, "w0": "24"}, "^w0 must be a whole number .* got '24'$"),
        ({**VALUES, "stages": [STAGE]}, "^AnyNetDesign has no field 'depth'; it has stages, "),
        ({"stages": []}, "^stages must be at least one StageDesign, got"),
        ({"stages": STAGE}, "^stages must be a list of tables"),
        ({"stages": [[48, 2]]}, "^stages must be a list of tables"),
        ({"stages": [{**STAGE, "widht": 3}]}, "^StageDesign has no field 'widht'; it has width, depth, "),
        ({"stages": [{"width": 48}]}, "^StageDesign lacks .*depth.*group_width"),
        ({"stages": [{**STAGE, "stride": 0}]}, "^stride must be a whole number from 1 to 64, got 0$"),
        ({"stages": [STAGE], "stem_width": None}, "^stem_width must be a whole number .* got None$"),
    ],
)
def test_wrong_table_is_refused_by_name(values: Any, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        design_from_dict(values)
