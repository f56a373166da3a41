"""Designs as text and as JSON, there and back."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given

import designs
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.notation import SPELLINGS, design_from_dict, parse_design
from regnety.architecture.stages import StageDesign
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


PAPERS = "d=13,w_0=24,w_a=36.44,w_m=2.49,g=8"
PYCLS = "DEPTH=13,W0=24,WA=36.44,WM=2.49,GROUP_W=8"


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (PAPERS, {}),
        (PYCLS, {}),
        (f"{PAPERS},b=2,q=0.5", {"bottleneck_multiplier": 0.5, "se_ratio": 0.5}),
        (f"{PAPERS},b=.25", {"bottleneck_multiplier": 4.0}),
        (f"{PAPERS},b=3", {"bottleneck_multiplier": 1 / 3}),
        (f"{PYCLS},BOT_MUL=0.5,SE_R=0,STEM_W=16", {"bottleneck_multiplier": 0.5, "se_ratio": 0.0, "stem_width": 16}),
        (TEXT.replace("group_width", "group_size") + ",bottle_ratio=2", {"bottleneck_multiplier": 2.0}),
    ],
)
def test_fields_may_be_called_as_others_call_them(text: str, changes: dict[str, Any]) -> None:
    wanted = Design(**{**VALUES, **changes})
    assert parse_design(text) == wanted
    table = {
        name: float(value) if "." in value else int(value) for name, value in (p.split("=") for p in text.split(","))
    }
    assert design_from_dict(table) == wanted


def test_every_spelling_is_of_a_field_and_none_is_a_field_itself() -> None:
    for kind, spellings in SPELLINGS.items():
        names = {field.name for field in fields(kind)}
        assert set(spellings.values()) <= names
        assert not spellings.keys() & names


def test_stages_may_be_called_as_in_the_paper() -> None:
    stage = {"w": 48, "d": 2, "g": 8, "b": 2, "s": 1}
    wanted = StageDesign(width=48, depth=2, group_width=8, bottleneck_multiplier=0.5, stride=1)
    assert design_from_dict({"stages": [stage], "q": 0, "STEM_W": 16}) == AnyNetDesign(
        stages=(wanted,), se_ratio=0, stem_width=16
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{TEXT},d=3", "^depth is given twice in the design, as depth and as d$"),
        (f"{PAPERS},GROUP_W=8", "^group_width is given twice in the design, as g and as GROUP_W$"),
        (f"{PAPERS},b=1,bottleneck_multiplier=1", "^bottleneck_multiplier is given twice in the design, as b and as b"),
        (f"{PAPERS},b=0", "^b must be a number above 0 to 64, got 0$"),
        (f"{PAPERS},b=2.5", "^bottleneck_multiplier must be a whole number up to 64, or one over it, got 0.4$"),
        (PAPERS.replace("w_0", "w_o"), "^Design has no field 'w_o'; it has depth, w0"),
        (PAPERS.replace("d=", "Depth="), "^Design has no field 'Depth'"),
        (f"{PYCLS},SE_ON=1", "^Design has no field 'SE_ON'"),
    ],
)
def test_spellings_are_exact(text: str, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        parse_design(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{TEXT},dept=3",
            "^Design has no field 'dept'; did you mean depth\\? it has depth, w0, wa, wm, ",
        ),
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
        ({**VALUES, "dept": 3}, "^Design has no field 'dept'; did you mean depth\\? it has depth, "),
        ({"depth": 13}, "^Design lacks .*w0.*wa.*wm.*group_width"),
        ({**VALUES, "w0": "24"}, "^w0 must be a whole number .* got '24'$"),
        ({**VALUES, "stages": [STAGE]}, "^AnyNetDesign has no field 'depth'; it has stages, "),
        ({"stages": []}, "^stages must be at least one StageDesign, got"),
        ({"stages": STAGE}, "^stages must be a list of tables"),
        ({"stages": [[48, 2]]}, "^stages must be a list of tables"),
        (
            {"stages": [{**STAGE, "widht": 3}]},
            "^StageDesign has no field 'widht'; did you mean width\\? it has width, ",
        ),
        ({"stages": [{"width": 48}]}, "^StageDesign lacks .*depth.*group_width"),
        ({"stages": [{**STAGE, "stride": 0}]}, "^stride must be a whole number from 1 to 64, got 0$"),
        ({"stages": [STAGE], "stem_width": None}, "^stem_width must be a whole number .* got None$"),
    ],
)
def test_wrong_table_is_refused_by_name(values: Any, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        design_from_dict(values)
