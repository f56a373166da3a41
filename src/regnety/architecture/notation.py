"""Designs as text and as JSON: `depth=13,w0=24,...` on a command line, a dictionary in a file."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from regnety.architecture.design import AnyDesign, AnyNetDesign, Design, StageDesign
from regnety.errors import InvalidDesignError

Built = TypeVar("Built", Design, AnyNetDesign, StageDesign)


def parse_design(text: str) -> Design:
    """Read `depth=13,w0=24,wa=36.44,wm=2.49,group_width=8`; strides are `stage_strides=1:2:2:2`.

    Raises:
        InvalidDesignError: a field is unknown, missing or twice there, or its value is not allowed.
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
    """The design that `as_dict` wrote: an `AnyNetDesign` where it has stages, else a `Design`.

    Raises:
        InvalidDesignError: a field is unknown or missing, or its value is not allowed.
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
    known = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in known:
            raise InvalidDesignError(f"{kind.__name__} has no field {name!r}; it has {', '.join(known)}")
    try:
        return kind(**values)
    except TypeError as error:  # a missing field: dataclasses name it
        missing = str(error).partition("missing ")[2].partition(": ")[2]
        if not missing:
            raise
        raise InvalidDesignError(f"{kind.__name__} lacks {missing.replace(chr(39), '')}") from None


def _number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise InvalidDesignError(f"{name} must be a number, got {text!r}") from None
