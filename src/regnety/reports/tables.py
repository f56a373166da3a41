"""Tables of the page: numbers as text, with what they are sorted by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from regnety.reports.shares import Share

DASH = "\u2013"
TO = "\u202f\u2013\u202f"
"""Between the ends of an interval."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading.

    Args:
        title: of the column.
        is_number: whether it stands to the right, and is sorted by value.
        hint: a sentence on what is counted.
        is_name: whether it is a name, which may be long and is wrapped.
    """

    title: str
    is_number: bool = False
    hint: str = ""
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry.

    Args:
        text: as it is read.
        value: by which it is sorted; None sorts by the text.
        bar: (at, low, high) in percent: a dot on a line with its interval, drawn before the text.
    """

    text: str
    value: float | None = None
    bar: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below their headings."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str
    """For those who hear it: what the table is of."""


def percent(value: float | None, digits: int = 1) -> str:
    """`83.4 %`; a dash where there is no figure."""
    return DASH if value is None or math.isnan(value) else f"{value:.{digits}f}\u202f%"


def interval(share: Share) -> str:
    """`79.9 - 86.4 %`, the 95 % interval."""
    low, high = share.interval
    return f"{low:.1f}{TO}{high:.1f}\u202f%" if share.count else DASH


def count_cell(number: int | None) -> Cell:
    """`3,068`."""
    return Cell(DASH, -1.0) if number is None else Cell(f"{number:,}", number)


def percent_cell(value: float | None, digits: int = 1) -> Cell:
    """`83.4 %`."""
    missing = value is None or math.isnan(value)
    return Cell(percent(value, digits), -1.0 if missing else value)


def number_cell(value: float | None, digits: int = 3) -> Cell:
    """`0.967`."""
    missing = value is None or math.isnan(value)
    return Cell(DASH, -1.0) if missing or value is None else Cell(f"{value:.{digits}f}", value)


def share_cell(share: Share) -> Cell:
    """`83.4 %` after its interval as a bar; a dash of none."""
    if not share.count:
        return Cell(DASH, -1.0)
    return Cell(percent(share.percent), share.percent, (share.percent, *share.interval))
