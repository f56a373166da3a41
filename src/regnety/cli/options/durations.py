"""Durations on the command line."""

import re
from typing import Any

import click

UNITS_S = {"s": 1, "m": 60, "h": 3600}


class DurationType(click.ParamType[float]):
    """A duration as `90s`, `10m`, `2h` or `1h30m`; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`90s` to 90.0."""
        if not isinstance(value, str):
            return float(value)
        parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smh])", value)
        if not parts or "".join(map("".join, parts)) != value:
            self.fail(f"{value!r} is no duration; write 90s, 10m or 2h", param, ctx)
        seconds = sum(float(number) * UNITS_S[unit] for number, unit in parts)
        if not 0 < seconds <= 365 * 24 * 3600:
            self.fail(f"{value!r} must be more than nothing, and a year at most", param, ctx)
        return seconds
