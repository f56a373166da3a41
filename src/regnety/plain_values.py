"""Plain values, as JSON and YAML have them, into dataclasses: no field is unknown, missing or of another type."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin

from regnety.errors import RegNetYError, WeightsError

Kind = TypeVar("Kind")
Decoders: TypeAlias = Mapping[Any, Callable[[Any], Any]]
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table",
    Mapping: "a table",
    tuple: "a list",
}


def from_plain(
    kind: type[Kind],
    values: Any,
    *,
    name: str = "",
    path: str = "",
    error: type[RegNetYError] = WeightsError,
    decoders: Decoders | None = None,
) -> Kind:
    """A dataclass from a table of its fields; fields that are dataclasses themselves are tables too.

    Args:
        kind: the dataclass.
        values: the table.
        name: what messages call the table; the path unless it is given.
        path: where the table stands in another one, `optimizer`; messages put it before the names of its fields.
        error: what is raised.
        decoders: types of fields that have a decoder of their own.

    Raises:
        RegNetYError: a field is unknown, missing or of another type; the message says which, and what was expected.
    """
    check_fields(kind, values, name=name or path, error=error)
    # The fields' own types, and not `typing.get_type_hints`, which takes longer than everything else here.
    types = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    prefix = f"{path}." if path else ""
    return kind(
        **{key: _decoded(types[key], value, f"{prefix}{key}", error, decoders or {}) for key, value in values.items()}
    )


def check_fields(kind: type, values: Any, *, name: str, error: type[RegNetYError] = WeightsError) -> None:
    """Refuse what is not a table of a dataclass's fields, for a dataclass that checks their values itself."""
    if not isinstance(values, Mapping):
        raise error(f"{name} must be a table of fields, got {values!r}")
    known = {field.name: field for field in fields(kind)}
    for key in values:
        if key not in known:
            names = field_names(kind)
            raise error(f"{name} has no field {key!r}; {did_you_mean(str(key), names)}it has {', '.join(names)}")
    missing = [
        key
        for key, field in known.items()
        if key not in values and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise error(f"{name} lacks {', '.join(missing)}")


def field_names(kind: Any) -> list[str]:
    """Of a dataclass; those of dataclasses in it as `optimizer.lr`."""
    return [
        name
        for field in fields(kind)
        for name in (
            [f"{field.name}.{inner}" for inner in field_names(field.type)] if is_dataclass(field.type) else [field.name]
        )
    ]


def did_you_mean(name: str, known: Sequence[str], options: Mapping[str, str] | None = None) -> str:
    """A question with the fields that are like an unknown one, also without their tables: `lr` is `optimizer.lr`.

    `options` are fields that have an option of their own, which is named too.
    """
    import difflib  # start-up should not pay for it

    whole = {field.rpartition(".")[2]: field for field in known} | {field: field for field in known}
    last = name.rpartition(".")[2]
    similar = [whole[last]] if last in whole else [whole[each] for each in difflib.get_close_matches(name, whole)]
    words = [
        f"{field} ({options[field]})" if options and field in options else field for field in dict.fromkeys(similar)
    ]
    return f"did you mean {', '.join(words)}? " if words else ""


def _decoded(hint: Any, value: Any, path: str, error: type[RegNetYError], decoders: Decoders) -> Any:
    if isinstance(hint, UnionType):  # of a type and None, as all of ours
        if value is None:
            return None
        (hint,) = (member for member in get_args(hint) if member is not NoneType)
    if hint in decoders:
        return decoders[hint](value)
    if is_dataclass(hint):
        return from_plain(hint, value, path=path, error=error, decoders=decoders)  # type: ignore[arg-type]
    kind = get_origin(hint) or hint
    if kind is Literal:
        if value not in (choices := get_args(hint)):
            raise error(f"{path} must be one of {', '.join(choices)}, got {value!r}")
        return value
    if kind is tuple and isinstance(value, list | tuple):
        inner = get_args(hint)[0]
        if all(type(item) is inner for item in value):  # 22,000 labels one by one would take 60 ms
            return tuple(value)
        return tuple(_decoded(inner, item, f"each of {path}", error, decoders) for item in value)
    number = _as_float(value) if kind is float else value
    if not isinstance(number, kind) or (isinstance(number, bool) and kind is not bool):
        raise error(f"{path} must be {WORDS[kind]}, got {value!r}")
    return number


def _as_float(value: Any) -> Any:
    """A finite number as a float, everything else as it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and "e" in value):  # YAML 1.1 reads 5e-5 as a text
        return value
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return value
    return number if math.isfinite(number) else None
