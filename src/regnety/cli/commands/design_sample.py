"""`regnety design sample`."""

from typing import TYPE_CHECKING, Any, TextIO

import click

from regnety.cli.commands.describe import SizeType
from regnety.cli.options.ranges import RangeType, field_settings
from regnety.cli.options.shared import quiet_option
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput, listing_of, print_table
from regnety.notices import say

if TYPE_CHECKING:
    from regnety.designspace.designs import Designs
    from regnety.designspace.spaces import DesignSpace

SPACES = ("anynetx_a", "anynetx_b", "anynetx_c", "anynetx_d", "anynetx_e", "regnetx", "regnety")


@click.command("sample")
@click.option("--space", type=click.Choice(SPACES), default="regnety", help="Design space of the paper.")
@click.option(
    "--ranges",
    type=click.Choice(("paper", "constrained", "pycls")),
    default=None,
    help="Ranges of a RegNet: the paper's, those of its constrained space, or pycls's; by default the paper's.",
)
@click.option("--macs", type=RangeType(), metavar="LOW:HIGH", help="Multiply-adds for one picture, as in 380M:400M.")
@click.option("--params", type=RangeType(), metavar="LOW:HIGH", help="Parameters.")
@click.option("--activations", type=RangeType(), metavar="LOW:HIGH", help="Outputs of convolutions and classifier.")
@click.option(
    "--image-size", type=SizeType(), default="224", metavar="PIXELS", help="Size of a picture, or HEIGHTxWIDTH."
)
@click.option(
    "--num-classes", type=click.IntRange(0), default=1000, metavar="NUMBER", help="Outputs of the classifier."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another field or range: wm=2:3, group_width=8,16,24, num_stages=3, stem_stride=1.",
)
@click.option(
    "--count", "-n", type=click.IntRange(1, 1 << 40), default=10, metavar="NUMBER", help="Designs to be found."
)
@click.option("--seed", type=click.IntRange(0, (1 << 64) - 1), default=0, metavar="NUMBER", help="Of the draws.")
@click.option("--max-draws", type=click.IntRange(1), metavar="NUMBER", help="End after so many draws.")
@row_output_options
@quiet_option
def design_sample(
    space: str,
    ranges: str | None,
    macs: tuple[float, float] | None,
    params: tuple[float, float] | None,
    activations: tuple[float, float] | None,
    image_size: int | tuple[int, int],
    num_classes: int,
    settings: tuple[str, ...],
    count: int,
    seed: int,
    max_draws: int | None,
    output_format: RowFormat | None,
    output: str | None,
    quiet: bool,
) -> int:
    """Draw designs from a design space.

    A draw depends on the space, the seed and its number alone: 100 designs are the first of 500. The exit status is 1
    if --max-draws ends the search before all are found.

    Example:  regnety design sample --space regnety --macs 380M:400M --count 500 -o designs.parquet
    """
    from regnety.designspace.design_rows import flat_row, plain_rows, row_kinds

    written = RowOutput(output_format, output, quiet=quiet)
    chosen = field_settings(settings)
    named: dict[str, Any] = {"macs": macs, "params": params, "activations": activations}
    for name, value in named.items():
        if value is not None and name in chosen:
            raise click.UsageError(f"--{name} and --set {name} are the same")
    given = {name: value for name, value in named.items() if value is not None}
    made = _space(space, ranges, {"image_size": image_size, "num_classes": num_classes, **given, **chosen})
    designs = made.sample(count, seed=seed, max_draws=max_draws)
    rows = list(plain_rows(designs))
    flat = [flat_row(row) for row in rows]
    written.write(
        listing_of(flat, row_kinds(designs), lambda stream: _print_designs(designs, flat, stream), lines=rows)
    )
    if not quiet:
        say(_summary(designs))
    return 0 if len(designs) == count else 1


def _space(name: str, ranges: str | None, fields: dict[str, Any]) -> "DesignSpace":
    from regnety.designspace.spaces import SPACES

    if ranges is None:
        return SPACES[name](**fields)
    if not name.startswith("regnet"):
        raise click.UsageError(f"--ranges names those of a RegNet; {name} has ranges of its own (--set width=64:512)")
    return SPACES[name](ranges, **fields)


def _summary(designs: "Designs") -> str:
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in designs.rejections.items())
    rejected = f", {designs.rejected:,} rejected ({reasons})" if designs.rejected else ""
    return f"{len(designs):,} designs of {designs.draws:,} draws{rejected}"


def _print_designs(designs: "Designs", rows: list[dict[str, Any]], stream: TextIO) -> None:
    numbers = ("depth", "w0", "wa", "wm", "group_width") if designs.space.is_linear else ("depth",)
    stages = ("stage_depths", "stage_widths", "stage_group_widths")
    counts = ("num_params", "macs", "activations")
    columns = ("draw", *numbers, *stages, *counts)
    lines = [[f"{row[name]:,}" if name in counts else str(row[name]) for name in columns] for row in rows]
    print_table(columns, lines, right=("draw", *numbers, *counts), stream=stream)
