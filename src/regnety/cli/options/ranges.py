"""Ranges on a command line: 380M:400M, 12:28, and fields of a design space by --set."""

from typing import Any

import click

UNITS = {"k": 1e3, "M": 1e6, "G": 1e9}


class RangeType(click.ParamType):  # type: ignore[type-arg]
    """LOW:HIGH, each a number that may end with k, M or G."""

    name = "range"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, float]:
        """The two limits."""
        parts = str(value).split(":")
        try:
            low, high = (number(part) for part in parts)
        except ValueError:
            self.fail(f"{value!r} is not LOW:HIGH, as in 380M:400M", parameter, context)
        return low, high


def number(text: str) -> float:
    """A number that may end with k, M or G; a whole one is an int.

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if text[-1:] in UNITS:
        return float(text[:-1]) * UNITS[text[-1]]
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def field_settings(settings: tuple[str, ...], *, option: str = "--set") -> dict[str, Any]:
    """FIELD=VALUE of a design space: a number, low:high, a list with commas, true, false or none.

    Raises:
        UsageError: one has no value, or the field is set twice.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = (part.strip() for part in setting.partition("="))
        if not separator or not name or not text:
            raise click.UsageError(f"{option} {setting}: write FIELD=VALUE, as in {option} wm=2:3")
        if name in values:
            raise click.UsageError(f"{option} {name} is given twice")
        try:
            values[name] = _value(text)
        except ValueError:
            raise click.UsageError(
                f"{option} {setting}: {text!r} is not a number, LOW:HIGH, a list such as 8,16,24, true, false or none"
            ) from None
    return values


def _value(text: str) -> Any:
    from regnety.designspace.ranges import Limits, Values

    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for separator, kind in ((":", Limits), (",", Values)):
        if separator in text:
            return kind(number(part) for part in text.split(separator))
    return number(text)
