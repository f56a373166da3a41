"""`regnety describe`."""

from pathlib import Path
from typing import Any, TextIO

import click

from regnety.cli.options.shared import complete_model, state_dict_option
from regnety.cli.output.claiming import claim_file, say_replaced
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput, listing_of, print_table
from regnety.notices import say

LINEAR = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_multiplier")  # a design of stages has none of them
SHARED = ("se_ratio", "stem_width", "stem_stride", "group_min_ratio")
OF_STAGES = ("width", "depth", "inner_width", "group_width", "stride")
KINDS = {
    "name": "text",
    "depth": "integer",
    "w0": "real",
    "wa": "real",
    "wm": "real",
    "group_width": "integer",
    "bottleneck_multiplier": "real",
    "se_ratio": "real",
    "stem_width": "integer",
    "stem_stride": "integer",
    "group_min_ratio": "real",
    **{f"stage_{field}s": "text" for field in OF_STAGES},
    "num_classes": "integer",
    "in_chans": "integer",
    "image_size": "text",  # HEIGHTxWIDTH of a rectangle
    "num_params": "count",  # counts may need more than 32 bits
    "macs": "count",
    "activations": "count",
    "model_index_flops": "count",
    "paper_violations": "text",
}
"""The columns of CSV and Parquet."""


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """PIXELS for a square, or HEIGHTxWIDTH."""

    name = "size"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> int | tuple[int, int]:
        """One number, or two with an x between them."""
        sides = str(value).lower().split("x")
        # isdigit alone takes superscripts, which int refuses
        if len(sides) > 2 or not all(side.isascii() and side.isdigit() for side in sides):
            self.fail(f"{value!r} is neither PIXELS nor HEIGHTxWIDTH", parameter, context)
        return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=complete_model)
@state_dict_option
@click.option(
    "--design",
    "designs",
    metavar="DESIGN",
    multiple=True,
    help="A design instead of a model: its fields, JSON, or a .json or .yaml file.",
)
@click.option(
    "--image-size",
    type=SizeType(),
    metavar="PIXELS",
    help="Input size, or HEIGHTxWIDTH; by default the model's own, 224 for a design.",
)
@click.option(
    "--num-classes",
    type=click.IntRange(0),  # 0 is a network without a classifier
    metavar="NUMBER",
    help="Classes; by default the model's own, 1000 for a design.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the width of each block (u_j and w_j) to a .png or .svg file.",
)
@row_output_options
def describe(
    models: tuple[str, ...],
    state_dict: str | None,
    designs: tuple[str, ...],
    image_size: int | tuple[int, int] | None,
    num_classes: int | None,
    plot: Path | None,
    output_format: RowFormat | None,
    output: str | None,
) -> None:
    """Show a model's stages, parameters and multiply-adds.

    Several models are compared in one table: a row each in CSV, a list in JSON. The fields of a design are
    depth=13,w0=24,wa=36.44,wm=2.49,group_width=8; a file may also list the stages of an AnyNet.

    Example:  regnety describe regnety_002 regnety_004 --format csv
    """
    from regnety.bundle.design_files import find_design
    from regnety.bundle.model_complexity import describe as describe_model
    from regnety.figures.picture_files import check_place

    if not models and not designs:
        raise click.UsageError("describe needs a model or a --design")
    if plot is not None and len(models) + len(designs) > 1:
        raise click.UsageError("--plot draws only one model")
    # before a model is loaded, which may be a download
    written = RowOutput(output_format, output)
    picture = None if plot is None else claim_file(plot, check=lambda: check_place(plot))
    found = [
        *(describe_model(name, image_size, num_classes=num_classes, state_dict=state_dict) for name in models),
        *(describe_model(find_design(design), image_size, num_classes=num_classes) for design in designs),
    ]
    reports = [description.as_dict() for description in found]
    if plot is not None:
        from regnety.figures.widths import plot_widths

        say_replaced(picture)
        plot_widths(found[0].architecture.design, plot, title=found[0].name)
        say(f"wrote {plot}")

    def table(stream: TextIO) -> None:
        _print_report(reports[0], stream) if len(reports) == 1 else _print_table(reports, stream)

    rows = [row_of(found) for found in reports]
    # one model is an object, so that `jq .macs` works; several are a list
    whole = reports[0] if len(reports) == 1 else reports
    written.write(listing_of(rows, KINDS, table, lines=reports, whole=whole))


def row_of(found: dict[str, Any]) -> dict[str, Any]:
    """A report in one flat row; the stages' values are joined, as in `24:56:152:368`."""
    # models have different numbers of stages, and a table has the same columns for all of them
    design, stages = found["design"], found["stages"]
    numbers = ("num_classes", "in_chans", "image_size", "num_params", "macs", "activations", "model_index_flops")
    return {
        "name": found["name"],
        **{field: design.get(field) if "stages" not in design else None for field in LINEAR},
        **{field: design[field] for field in SHARED},
        **{f"stage_{field}s": ":".join(str(stage[field]) for stage in stages) for field in OF_STAGES},
        **{field: found[field] for field in numbers},
        # once more, as text; it keeps the place that **numbers gave it
        "image_size": _text(found["image_size"]),
        "paper_violations": "; ".join(found["paper_violations"]),
    }


def _text(size: Any) -> str:
    return str(size) if isinstance(size, int) else "x".join(map(str, size))


def _print_report(found: dict[str, Any], stream: TextIO) -> None:
    fields = {field: value for field, value in found["design"].items() if field != "stages"}
    print(found["name"] or "design", file=stream)
    print(", ".join(f"{field}={value}" for field, value in fields.items()), end="\n\n", file=stream)
    columns = ("stage", "width", "depth", "inner_width", "group_width", "groups", "stride", "output_size")
    rows = [
        [stage["name"], *(str(stage[column]) for column in columns[1:-1]), _text(stage["output_size"])]
        for stage in found["stages"]
    ]
    print_table(columns, rows, right=columns[1:], stream=stream)
    size = found["image_size"]
    size = f"{size}x{size}" if isinstance(size, int) else _text(size)
    print(f"\nnum_params   {found['num_params']:>16,}", file=stream)
    print(f"macs         {found['macs']:>16,}   at {size}, the paper's convention", file=stream)
    print(f"activations  {found['activations']:>16,}   at {size}", file=stream)
    if found["paper_violations"]:
        print(f"\noutside the paper's RegNetX and RegNetY: {'; '.join(found['paper_violations'])}", file=stream)


def _print_table(reports: list[dict[str, Any]], stream: TextIO) -> None:
    columns = ("model", "depths", "widths", "group_widths", "classes", "size", "num_params", "macs", "activations")
    rows = []
    for found, row in zip(reports, map(row_of, reports), strict=True):
        stages = (row["stage_depths"], row["stage_widths"], row["stage_group_widths"])
        counts = (f"{found[field]:,}" for field in ("num_params", "macs", "activations"))
        rows.append([row["name"] or "design", *stages, str(row["num_classes"]), row["image_size"], *counts])
    print_table(columns, rows, right=columns[4:], stream=stream)
