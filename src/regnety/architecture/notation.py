"""Designs as text and as JSON: `depth=13,w0=24,...` on a command line, a dictionary in a file.

A field may also have the name that the paper, pycls, timm or torchvision give it, from an exact table.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from regnety.architecture import validation
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.errors import InvalidDesignError
from regnety.plain_values import check_fields

Built = TypeVar("Built", Design, AnyNetDesign, StageDesign)

PAPERS_RATIO = "b"
"""The paper's bottleneck ratio, block width over inner width: the inverse of everybody's multiplier."""
_GROUPS = {"g": "group_width", "GROUP_W": "group_width", "group_size": "group_width"}
_BOTTLENECK = {
    PAPERS_RATIO: "bottleneck_multiplier",
    "BOT_MUL": "bottleneck_multiplier",
    "bottle_ratio": "bottleneck_multiplier",
}
_WHOLE = {"q": "se_ratio", "SE_R": "se_ratio", "STEM_W": "stem_width"}
SPELLINGS: Mapping[type, Mapping[str, str]] = {
    Design: {
        "d": "depth",
        "DEPTH": "depth",
        "w_0": "w0",
        "W0": "w0",
        "w_a": "wa",
        "WA": "wa",
        "w_m": "wm",
        "WM": "wm",
        **_GROUPS,
        **_BOTTLENECK,
        **_WHOLE,
    },
    AnyNetDesign: _WHOLE,
    StageDesign: {"w": "width", "d": "depth", "s": "stride", **_GROUPS, **_BOTTLENECK},
}
"""Other names of a field to ours: the paper's symbols, pycls's in capitals, timm's and torchvision's."""


def parse_design(text: str) -> Design:
    """Read `depth=13,w0=24,wa=36.44,wm=2.49,group_width=8` or `d=13,w_0=24,w_a=36.44,w_m=2.49,g=8` (`SPELLINGS`).

    The strides of the stages, one for each, are `stage_strides=1:2:2:2`.

    Raises:
        InvalidDesignError: a field is unknown, missing or given twice, or its value is not allowed.
    """
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator or not value:
            raise InvalidDesignError(f"a design is written name=value,name=value,...; got {part!r}")
        if name in values:
            raise InvalidDesignError(f"{name} is given twice in the design")
        values[name] = (
            [_number(name, item) for item in value.split(":")] if name == "stage_strides" else _number(name, value)
        )
    return _build(Design, values)


def design_from_dict(values: Mapping[str, Any]) -> AnyDesign:
    """A design from plain values, as in JSON: what `as_dict` wrote, or written by hand.

    A `Design` is a table of its fields, of which `depth`, `w0`, `wa`, `wm` and `group_width` are needed:

        {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}

    A table with `stages` is an `AnyNetDesign`; each stage needs `width`, `depth` and `group_width`, and its `stride` is
    2 unless given:

        {"stages": [{"width": 32, "depth": 2, "group_width": 16, "stride": 1}, {"width": 64, "depth": 4,
        "group_width": 16}], "se_ratio": 0.25, "stem_width": 32}

    Fields may have their names in the paper (`d`, `w_0`, `w_a`, `w_m`, `g`, `q`; `b` is the ratio, whose inverse is the
    multiplier), in pycls (`DEPTH`, `W0`, `WA`, `WM`, `GROUP_W`, `BOT_MUL`, `SE_R`, `STEM_W`) and in timm (`group_size`,
    `bottle_ratio`).

    Args:
        values: the table.

    Raises:
        InvalidDesignError: a field is unknown, missing or given twice, or its value is not allowed.
    """
    if not isinstance(values, Mapping):
        raise InvalidDesignError(f"a design must be a table of fields, got {values!r}")
    if "stages" not in values:
        return _build(Design, values)
    stages = values["stages"]
    if not isinstance(stages, list | tuple) or not all(isinstance(stage, Mapping) for stage in stages):
        raise InvalidDesignError(f"stages must be a list of tables, got {stages!r}")
    return _build(AnyNetDesign, {**values, "stages": tuple(_build(StageDesign, stage) for stage in stages)})


def _build(kind: type[Built], values: Mapping[str, Any]) -> Built:
    named: dict[str, Any] = {}
    for spelling, value in values.items():
        name = SPELLINGS[kind].get(spelling, spelling)
        if name in named:
            first = next(other for other in values if SPELLINGS[kind].get(other, other) == name)
            raise InvalidDesignError(f"{name} is given twice in the design, as {first} and as {spelling}")
        # every multiplier is inner width over block width; the paper divides by b
        named[name] = value if spelling != PAPERS_RATIO else 1 / validation.real(spelling, value, 0, 64, above=True)
    check_fields(kind, named, name=kind.__name__, error=InvalidDesignError)
    return kind(**named)


def _number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise InvalidDesignError(f"{name} must be a number, got {text!r}") from None
