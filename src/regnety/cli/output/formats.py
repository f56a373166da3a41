"""How results are printed: a table for people, the rest for programs. The same names everywhere."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from regnety.errors import RegNetYError

Command = TypeVar("Command", bound=Callable[..., Any])


class RowFormat(StrEnum):
    """Of commands that answer row by row."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"


ROWS_OF_SUFFIXES = (RowFormat.json, RowFormat.jsonl, RowFormat.csv, RowFormat.parquet)
"""Those that a file's suffix names."""


class ReportFormat(StrEnum):
    """Of commands that answer with one report."""

    table = "table"
    json = "json"


def row_format(chosen: RowFormat | None, output: str | None) -> RowFormat:
    """What --format and the suffix of --output say together; a table where neither says anything.

    Raises:
        RegNetYError: they contradict each other, the suffix says nothing, or Parquet has no --output.
    """
    if output is None:
        if chosen is RowFormat.parquet:
            raise RegNetYError("parquet cannot be printed; name a file with --output")
        return chosen or RowFormat.table
    path = Path(output)
    if "://" not in output and not path.parent.is_dir():
        raise RegNetYError(f"{output}: there is no folder {path.parent}")
    suffix = path.suffix.lower().removeprefix(".")
    of_suffix = RowFormat(suffix) if suffix in ROWS_OF_SUFFIXES else None
    if of_suffix is None and chosen is None:
        raise RegNetYError(f"{output}: name it .json, .jsonl, .csv or .parquet, or say which with --format")
    if of_suffix is not None and chosen is not None and chosen is not of_suffix:
        raise RegNetYError(f"{output}: the suffix says {of_suffix}, --format says {chosen}")
    return chosen or of_suffix or RowFormat.table


def _format_option(formats: Iterable[StrEnum]) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "output_format",
        type=click.Choice([*formats]),
        default="table",
        help="Output format.",
    )


row_format_option = _format_option(name for name in RowFormat if name is not RowFormat.parquet)
report_format_option = _format_option(ReportFormat)
