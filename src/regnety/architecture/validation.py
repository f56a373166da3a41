"""Checks of single design parameters: each returns the value in its plain type, or says what is allowed."""

import math
import operator
from collections.abc import Iterable
from typing import Any

from regnety.errors import InvalidDesignError


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number between low and high, both allowed; NumPy's integers become Python's."""
    try:
        if isinstance(value, bool):  # which operator.index takes for 0 or 1
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidDesignError(f"{name} must be a whole number from {low} to {high}, got {value!r}") from None
    if not low <= number <= high:
        raise InvalidDesignError(f"{name} must be a whole number from {low} to {high}, got {number}")
    return number


def sides(name: str, value: Any, high: int) -> tuple[int, int]:
    """Height and width in pixels, from a number for both or from the two."""
    if not isinstance(value, list | tuple):
        value = (value, value)
    if len(value) != 2:
        raise InvalidDesignError(f"{name} must be a number of pixels or (height, width), got {tuple(value)!r}")
    height, width = (whole(name, side, 1, high) for side in value)
    return height, width


def real(name: str, value: Any, low: float, high: float, *, above: bool = False) -> float:
    """A finite number from low (above=True: beyond it) to high."""
    allowed = f"a number {'above' if above else 'from'} {low:g} to {high:g}"
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidDesignError(f"{name} must be {allowed}, got {value!r}") from None
    if not math.isfinite(number) or number > high or number < low or (above and number == low):
        raise InvalidDesignError(f"{name} must be {allowed}, got {number:g}")
    return number


def multiplier(name: str, value: Any) -> float:
    """A bottleneck multiplier: n, or 1/n to float accuracy, for a whole n of at most 64."""
    number = real(name, value, 0, 64, above=True)
    ratio = number if number >= 1 else 1 / number
    if abs(ratio - round(ratio)) > 1e-6 or ratio > 64:
        raise InvalidDesignError(f"{name} must be a whole number up to 64, or one over it, got {number:g}")
    return float(round(ratio)) if number >= 1 else 1 / round(ratio)  # 0.3333333 becomes 1 / 3


def strides(name: str, value: Any, count: int, high: int) -> tuple[int, ...]:
    """One stride for each stage of a design."""
    if isinstance(value, str) or not isinstance(value, Iterable):  # a text is iterable too
        raise InvalidDesignError(f"{name} must be {count} strides, one for each stage, got {value!r}")
    values = tuple(whole(f"each of {name}", stride, 1, high) for stride in value)
    if len(values) != count:
        raise InvalidDesignError(
            f"{name} must be {count} strides, one for each stage of this design, got {len(values)}"
        )
    return values
