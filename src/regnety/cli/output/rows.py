"""The one writer of rows: what a command found goes to stdout or into a file, in every format."""

import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO, get_args, get_type_hints

import click

from regnety.cli.output.claiming import claim, is_stream, say_replaced
from regnety.cli.output.formats import RowFormat, row_format
from regnety.text import printable

if TYPE_CHECKING:
    from regnety.inference.jobs.rows import Column

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a command found, in the forms that the formats need."""

    columns: "Sequence[Column]"
    """For CSV and Parquet."""
    rows: Iterable[Sequence[Any]]
    """For CSV and Parquet, a value per column."""
    table: Callable[[TextIO], None]
    """Prints it for people."""
    lines: Sequence[Mapping[str, Any]]
    """For JSON lines."""
    whole: Any = None
    """For JSON; None is a list of `lines`."""


class RowOutput:
    """Where rows go and in which format, checked before the work: an hour of it must not end in a refusal.

    Args:
        output_format: --format.
        output: --output; a file is claimed until the command ends.
        quiet: do not say that a file is replaced.

    Raises:
        UsageError: the format and the name contradict each other, or no file can be written there.
    """

    def __init__(self, output_format: RowFormat | None, output: str | None, *, quiet: bool = False) -> None:
        self._output = None if output == STANDARD_OUTPUT else output
        self.format = row_format(output_format, self._output)
        self._quiet = quiet
        self._place = None
        if self.format is RowFormat.parquet:
            from regnety.inference.jobs.row_files import row_file
            from regnety.inference.jobs.rows import PlainRows

            row_file("parquet", PlainRows(()), {})  # raises now if pyarrow is missing
        if self._output is None:
            return
        if "://" in self._output or not is_stream(self._output):
            self._place = claim(self._output)
        elif self.format is RowFormat.parquet:
            raise click.UsageError(f"{output}: is a device or a pipe; parquet needs a file")

    @property
    def is_table(self) -> bool:
        """Whether the format is for people."""
        return self.format is RowFormat.table

    @property
    def is_printed(self) -> bool:
        """Whether it goes to stdout."""
        return self._output is None

    def write(self, listing: Listing) -> None:
        """Write all of it."""
        if self._output is None:
            self._write_text(listing, sys.stdout)
            return
        if self._place is None:
            # a device or a pipe: nothing can be written beside it and renamed
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
            # one part is a whole file: a listing is small, unlike a job
            file.write(written.encode(list(listing.rows)))
            return
        # a file name that is not UTF-8 must not fail; newlines are the format's own, on Windows too
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        self._write_text(listing, text)
        text.flush()
        text.detach()  # or it would close the file, which `replacing` still syncs

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
    """The kind of column for each field of a dataclass; `counts` are integers that may exceed 32 bits."""
    kinds = {}
    for name, hint in get_type_hints(row_type).items():
        plain = (get_args(hint) or (hint,))[0]  # float of `float | None`; a Literal has texts in place of types
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
    """A listing of flat rows.

    Args:
        rows: each with all fields.
        kinds: field to the kind of its column, in their order.
        table: prints them for people.
        lines: for JSON lines, if not the rows.
        whole: for JSON, if not a list of the lines.
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


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Print aligned columns to a stream, by default stdout; those named in `right` are numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    # rich would cut what is wider than the window: a long path is worth more whole than on one line
    # markup: a name may have [brackets], which rich would take for its own
    Console(file=stream, width=1000, highlight=False, markup=False).print(table)
