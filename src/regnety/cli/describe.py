"""`regnety describe`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regnety.cli.formats import ReportFormat, report_format_option
from regnety.cli.notices import say
from regnety.cli.options import complete_model
from regnety.errors import InvalidDesignError

if TYPE_CHECKING:
    from regnety.architecture.description import Architecture


@click.command()
@click.argument("name", required=False, metavar="[MODEL]", shell_complete=complete_model)
@click.option("--design", metavar="DESIGN", help="A design instead: depth=13,w0=24,wa=36.44,wm=2.49,group_width=8")
@click.option(
    "--image-size", type=int, default=224, metavar="PIXELS", help="Height and width that work is counted for."
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the width of each block, u_j against w_j, into a .png or .svg file.",
)
@report_format_option
def describe(
    name: str | None, design: str | None, image_size: int, plot: Path | None, output_format: ReportFormat
) -> None:
    """Show the stages of a design, its parameters, multiply-adds and activations.

    Example:  regnety describe regnety_040 --plot widths.png
    """
    from regnety.architecture.notation import parse_design
    from regnety.bundle.resolver import describe_model

    if (name is None) == (design is None):
        raise InvalidDesignError("describe wants the name of a model or a --design, one of them")
    if name is not None:
        metadata = describe_model(name)
        architecture = metadata.design.architecture(metadata.num_classes, metadata.in_chans)
    else:
        assert design is not None
        architecture = parse_design(design).architecture()
    facts = _facts(name, architecture, image_size)
    if plot is not None:
        from regnety.figures.widths import plot_widths

        plot_widths(architecture.design, plot, title=name)
        say(f"wrote {plot}")
    if output_format is ReportFormat.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_table(facts)


def _facts(name: str | None, architecture: "Architecture", image_size: int) -> dict[str, Any]:
    from regnety.architecture.counting import complexity, model_index_flops, output_shapes

    shapes = output_shapes(architecture, image_size)
    return {
        "name": name,
        "design": architecture.design.as_dict(),
        "num_classes": architecture.num_classes,
        "in_chans": architecture.in_chans,
        "image_size": image_size,
        "stages": [
            {
                "name": stage.name,
                "width": stage.width,
                "depth": stage.depth,
                "inner_width": stage.inner_width,
                "group_width": stage.group_width,
                "groups": stage.blocks[0].groups,
                "stride": stage.stride,
                "output_size": shapes[stage.name][1],
            }
            for stage in architecture.stages
        ],
        **asdict(complexity(architecture, image_size)),
        "model_index_flops": model_index_flops(architecture),
        "paper_violations": list(architecture.design.paper_violations()),
    }


def _print_table(facts: dict[str, Any]) -> None:
    from regnety.cli.tables import print_table

    fields = {field: value for field, value in facts["design"].items() if field != "stages"}
    print(facts["name"] or "design")
    print(", ".join(f"{field}={value}" for field, value in fields.items()), end="\n\n")
    columns = ("stage", "width", "depth", "inner_width", "group_width", "groups", "stride", "output_size")
    rows = [[str(stage["name"]), *(str(stage[column]) for column in columns[1:])] for stage in facts["stages"]]
    print_table(columns, rows, right=columns[1:])
    size = facts["image_size"]
    print(f"\nnum_params   {facts['num_params']:>16,}")
    print(f"macs         {facts['macs']:>16,}   at {size}x{size}, the paper's convention")
    print(f"activations  {facts['activations']:>16,}   at {size}x{size}")
    if facts["paper_violations"]:
        print(f"\noutside of the paper's RegNetX and RegNetY: {'; '.join(facts['paper_violations'])}")
