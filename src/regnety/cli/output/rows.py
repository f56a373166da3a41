"""Rows of a command on stdout or in a file, in every format: what all commands share that answer with rows."""

import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO, get_args, get_type_hints

import click

from regnety.cli.output.claiming import claim, is_stream, say_replaced
from regnety.cli.output.formats import Command, RowFormat, row_format
from regnety.errors import RegNetYError

if TYPE_CHECKING:
    from regnety.inference.jobs.rows import Column

STANDARD_OUTPUT = "-"


def row_output_options(command: Command) -> Command:
    """--format and --output, which `RowOutput` takes."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a command has to say."""

    columns: "Sequence[Column]"
    """Of CSV and Parquet."""
    rows: Iterable[Sequence[Any]]
    """Of CSV and Parquet, a value a column."""
    table: Callable[[TextIO], None]
    """Prints it for people."""
    lines: Sequence[Mapping[str, Any]]
    """Of JSON lines."""
    whole: Any = None
    """All as JSON; a list of the lines where it is nothing else."""


class RowOutput:
    """Where rows go, and as what: said before the work, so that nothing is worked for in vain.

    Args:
        output_format: of the command line.
        output: of the command line; a file is claimed until the command ends.
        quiet: do not say that something is replaced.

    Raises:
        RegNetYError: the format and the name contradict each other, or no file can be written there.
    """

    def __init__(self, output_format: RowFormat | None, output: str | None, *, quiet: bool = False) -> None:
        self._output = None if output == STANDARD_OUTPUT else output
        self.format = row_format(output_format, self._output)
        self._quiet = quiet
        self._place = None
        if self.format is RowFormat.parquet:
            from regnety.inference.jobs.row_files import row_file
            from regnety.inference.jobs.rows import PlainRows

            row_file("parquet", PlainRows(()), {})  # it needs a package
        if self._output is None:
            return
        if "://" in self._output or not is_stream(self._output):
            self._place = claim(self._output)
        elif self.format is RowFormat.parquet:
            raise RegNetYError(f"{output}: is a device or a pipe; parquet needs a file")

    @property
    def is_table(self) -> bool:
        """Whether it is printed for people."""
        return self.format is RowFormat.table

    def write(self, listing: Listing) -> None:
        """All of it."""
        if self._output is None:
            self._write_text(listing, sys.stdout)
            return
        if self._place is None:
            with Path(self._output).open("wb") as file:
                self._write(listing, file)
            return
        say_replaced(self._place, quiet=self._quiet)
        with self._place.output() as file:
            self._write(listing, file)

    def _write(self, listing: Listing, file: IO[bytes]) -> None:
        if self.format is RowFormat.parquet:
            from regnety.inference.jobs.row_files import row_file
            from regnety.inference.jobs.rows import PlainRows
            from regnety.version import __version__

            written = row_file("parquet", PlainRows(listing.columns), {"regnety_version": __version__})
            file.write(written.encode(list(listing.rows)))
            return
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        self._write_text(listing, text)
        text.flush()
        text.detach()

    def _write_text(self, listing: Listing, stream: TextIO) -> None:
        from regnety.inference.jobs.row_files import csv_text, json_line

        if self.format is RowFormat.json:
            whole = list(listing.lines) if listing.whole is None else listing.whole
            stream.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        elif self.format is RowFormat.jsonl:
            stream.writelines(map(json_line, listing.lines))
        elif self.format is RowFormat.csv:
            stream.write(csv_text([[column.name for column in listing.columns]]))
            stream.writelines(csv_text([row]) for row in listing.rows)
        else:
            listing.table(stream)


KINDS = {str: "text", int: "integer", float: "real", bool: "flag"}


def kinds_of(row_type: type, counts: Sequence[str] = ()) -> dict[str, str]:
    """The kind of column of each field of a dataclass; `counts` may be too large for 32 bits."""
    kinds = {}
    for name, hint in get_type_hints(row_type).items():
        plain = (get_args(hint) or (hint,))[0]  # of `float | None`; what a Literal lists are texts
        kinds[name] = "count" if name in counts else KINDS.get(plain, "text")
    return kinds


def listing_of(
    rows: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, str],
    table: Callable[[TextIO], None],
    *,
    lines: Sequence[Mapping[str, Any]] | None = None,
    whole: Any = None,
) -> Listing:
    """A listing of rows that are flat.

    Args:
        rows: each with all fields, in their order.
        kinds: field to the kind of its column; also where there is no row.
        table: prints them for people.
        lines: of JSON lines, where they are not the rows.
        whole: all as JSON, where it is not the list of the lines.
    """
    from regnety.inference.jobs.rows import Column

    columns = [Column(name, kind) for name, kind in kinds.items()]  # type: ignore[arg-type]
    return Listing(
        columns=columns,
        rows=[[row[column.name] for column in columns] for row in rows],
        table=table,
        lines=rows if lines is None else lines,
        whole=whole,
    )
