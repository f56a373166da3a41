"""`regnety models`."""

import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

import click

from regnety.cli.output import terminal
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput, kinds_of, listing_of

if TYPE_CHECKING:
    from regnety.bundle.model_table import ModelRow

# widths, which with the spaces between them make 80 columns; a narrow window keeps the first ones longest
COLUMNS = {"name": 31, "top1": 9, "param": 5, "macs": 4, "here": 4, "licence": 12, "at test": 9}
ORDER = ("name", "param", "macs", "top1", "at test", "licence", "here")
FOOTER = (
    "* what the plain name means; param: millions of parameters, of 4 bytes each; macs: billions of multiply-adds; "
    "top1: percent on ImageNet @ input size"
)


@click.command()
@click.argument("pattern", default="*", metavar="[PATTERN]")
@row_output_options
def models(pattern: str, output_format: RowFormat | None, output: str | None) -> None:
    """List models and their published weights.

    PATTERN is a shell pattern for names, with or without a tag: 'regnety_*', '*.pycls_in1k'; or the name that
    torchvision or pycls gives a model: regnet_y_3_2gf, RegNetY-3.2GF.

    Example:  regnety models 'regnety_0*'
    """
    from regnety.bundle.model_table import ModelRow, model_table

    written = RowOutput(output_format, output)
    rows = model_table(pattern)
    kinds = kinds_of(ModelRow, counts=("num_params", "macs", "weights_bytes"))
    written.write(listing_of([row.as_dict() for row in rows], kinds, lambda stream: _print_table(rows, stream)))


def _print_table(rows: "list[ModelRow]", stream: TextIO) -> None:
    """A heading for each design, and under it a line for each of its weights."""
    width = terminal.width() if stream is sys.stdout else None
    columns = _columns_that_fit(width)
    print(_line({column: f" {column}" if column == "name" else column for column in columns}), file=stream)
    heading = None
    for row in rows:
        if row.model != heading:
            heading = row.model
            fields = ", ".join(f"{field}={getattr(row, field)}" for field in ("depth", "w0", "wa", "wm", "group_width"))
            print(f"{heading}: {fields}", file=stream)
        cells = {
            # the embedded model has one set of weights, without a tag: nothing to mark
            "name": f"{'*' if row.default and row.tag else ' '}{row.name}",
            "param": f"{row.num_params / 1e6:.4g}",
            "macs": f"{row.macs / 1e9:.3g}" if row.macs >= 1e10 else f"{row.macs / 1e9:.2f}",
            "top1": _at_size(row.top1, row.image_size),
            # empty if it is the same as top1, so that differences catch the eye
            "at test": _at_size(row.test_top1, row.test_image_size) if row.test_top1 != row.top1 else "",
            "licence": row.license or "",
            "here": "yes" if row.cached else "no",
        }
        print(_line({column: cells[column] for column in columns}), file=stream)
    print("", textwrap.fill(FOOTER, min(width or 80, 80)), sep="\n", file=stream)


def _columns_that_fit(width: int | None) -> list[str]:
    """As many columns as fit the window, in the order in which they are shown; a pipe gets all."""
    kept: list[str] = []
    used = -1  # no space before the first
    for column, size in COLUMNS.items():
        used += size + 1
        if width is None or used <= width or not kept:
            kept.append(column)
    return [column for column in ORDER if column in kept]


def _line(cells: dict[str, str]) -> str:
    texts = [
        f"{text:<{COLUMNS[column]}}" if column in ("name", "licence", "here") else f"{text:>{COLUMNS[column]}}"
        for column, text in cells.items()
    ]
    return " ".join(texts).rstrip()


def _at_size(top1: float | None, image_size: int) -> str:
    return "" if top1 is None else f"{top1:.2f}@{image_size}"
