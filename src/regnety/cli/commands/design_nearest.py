"""`regnety design nearest`."""

from typing import TYPE_CHECKING, Any, TextIO

import click

from regnety.cli.options.shared import complete_model
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput, kinds_of, listing_of, print_table

if TYPE_CHECKING:
    from regnety.architecture.description import AnyDesign
    from regnety.designspace.published_neighbours import PublishedNeighbour
    from regnety.designspace.width_fits import WidthFit


@click.command("nearest")
@click.option("--model", metavar="MODEL", help="A model, as for `describe`.", shell_complete=complete_model)
@click.option("--design", metavar="DESIGN", help="Fields of a design, JSON, or a .json or .yaml file.")
@click.option("--widths", metavar="WIDTHS", help="The width of each block, first to last: 24,56,152,152. Only the fit.")
@click.option("--count", type=click.IntRange(1), default=5, metavar="NUMBER", help="Published models to show.")
@row_output_options
def design_nearest(
    model: str | None,
    design: str | None,
    widths: str | None,
    count: int,
    output_format: RowFormat | None,
    output: str | None,
) -> None:
    """Show the published models near a design, and the linear design nearest to its widths.

    e_fit is the mean of |ln(width of the fit / width)| over the blocks: 0 for a RegNet.

    Example:  regnety design nearest --design depth=20,w0=32,wa=30,wm=2.4,group_width=16
    """
    from regnety.designspace.published_neighbours import PublishedNeighbour, nearest_models
    from regnety.designspace.width_fits import fit_design, fit_widths

    if sum(given is not None for given in (model, design, widths)) != 1:
        raise click.UsageError("name one of --model, --design and --widths")
    written = RowOutput(output_format, output)
    if widths is not None:
        fit, found = fit_widths(_widths(widths)), []
    else:
        meant = _design(model, design)
        fit, found = fit_design(meant), nearest_models(meant, count)

    def table(stream: TextIO) -> None:
        _print(found, fit, stream)

    rows = [_row(neighbour) for neighbour in found]
    flat = [{**row, "stage_widths": ":".join(map(str, row["stage_widths"]))} for row in rows]
    kinds = {**kinds_of(PublishedNeighbour, counts=("num_params", "macs", "activations")), "stage_widths": "text"}
    whole: dict[str, Any] = {"fit": _fit(fit), "nearest": rows}
    # JSON has the fit too; the rows of the others are models
    lines = rows if found else [whole["fit"]]
    if widths is not None:
        kinds = {"w0": "integer", "wa": "real", "wm": "real", "widths": "text", "e_fit": "real"}
        flat = [{**_fit(fit), "widths": ":".join(map(str, fit.widths))}]
    written.write(listing_of(flat, kinds, table, lines=lines, whole=whole))


def _design(model: str | None, design: str | None) -> "AnyDesign":
    from regnety.bundle.design_files import find_design
    from regnety.bundle.model_complexity import describe

    return find_design(design) if design is not None else describe(str(model)).architecture.design


def _widths(text: str) -> list[int]:
    try:
        return [int(width) for width in text.replace(":", ",").split(",")]
    except ValueError:
        raise click.UsageError(f"--widths {text}: write whole numbers with commas, one for each block") from None


def _row(neighbour: "PublishedNeighbour") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(neighbour)


def _fit(fit: "WidthFit") -> dict[str, Any]:
    return {"w0": fit.w0, "wa": fit.wa, "wm": fit.wm, "widths": list(fit.widths), "e_fit": fit.error}


def _print(found: "list[PublishedNeighbour]", fit: "WidthFit", stream: TextIO) -> None:
    counts = ("num_params", "macs", "activations")
    columns = ("model", "distance", "depth", "widths", *counts, "top1")
    rows = [
        [
            row.model,
            f"{row.distance:.3f}",
            str(row.depth),
            ":".join(map(str, row.stage_widths)),
            *(f"{getattr(row, name):,}" for name in counts),
            "" if row.top1 is None else f"{row.top1:.2f}",
        ]
        for row in found
    ]
    if rows:
        print_table(columns, rows, right=("distance", "depth", *counts, "top1"), stream=stream)
        print("", file=stream)
    print(f"linear fit: w0={fit.w0}, wa={fit.wa:g}, wm={fit.wm:g}, e_fit {fit.error:.4f}", file=stream)
