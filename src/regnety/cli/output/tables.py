"""Results on stdout: tables for people."""

from collections.abc import Iterable, Sequence
from typing import TextIO


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Print aligned columns; those named in `right` are numbers. Lines are as long as they come, a row is one line
    whatever the names in it are made of.

    The stream is stdout where none is named.
    """
    from rich.console import Console
    from rich.table import Table

    from regnety.text import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    Console(file=stream, width=1000, highlight=False, markup=False).print(table)
