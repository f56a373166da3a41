"""The formats of results: a table for people, the others for programs; the same names in every command."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class RowFormat(StrEnum):
    """Formats of commands that give rows."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"


class ReportFormat(StrEnum):
    """Formats of commands that give one report."""

    table = "table"
    json = "json"


def row_format(chosen: RowFormat | None, output: str | None) -> RowFormat:
    """The format that --format and the suffix of --output agree on; a table if neither is given.

    Raises:
        UsageError: they contradict each other, the suffix says nothing, or Parquet has no --output.
    """
    if output is None:
        if chosen is RowFormat.parquet:  # binary, and its footer needs a file that can be sought in
            raise click.UsageError("parquet cannot be printed; name a file with --output")
        return chosen or RowFormat.table
    path = Path(output)
    if "://" not in output and not path.parent.is_dir():  # said now, and not after an hour of work
        raise click.UsageError(f"{output}: there is no folder {path.parent}")
    suffix = path.suffix.lower().removeprefix(".")
    # no file is called .table: a table in a file is asked for by --format
    of_suffix = RowFormat(suffix) if suffix in {*RowFormat} - {RowFormat.table} else None
    if of_suffix is None and chosen is None:
        raise click.UsageError(f"{output}: name it .json, .jsonl, .csv or .parquet, or say which with --format")
    if of_suffix is not None and chosen is not None and chosen is not of_suffix:
        raise click.UsageError(f"{output}: the suffix says {of_suffix}, --format says {chosen}")
    return chosen or of_suffix or RowFormat.table


def row_output_options(command: Command) -> Command:
    """--format and --output of a command that gives rows."""
    output = click.option(
        "--output",
        "-o",
        type=click.Path(),
        metavar="FILE",
        help="Write a .json, .jsonl, .csv or .parquet file here; an address works too.",
    )
    output_format = click.option(
        "--format",
        "output_format",
        type=click.Choice([*RowFormat]),
        help="Output format; by default that of --output, else a table.",
    )
    return output_format(output(command))


report_format_option = click.option(
    "--format", "output_format", type=click.Choice([*ReportFormat]), default="table", help="Output format."
)
