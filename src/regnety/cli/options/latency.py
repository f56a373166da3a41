"""Options of the commands that measure: `bench` and `pick`."""

from pathlib import Path
from typing import Any

import click

from regnety.catalog.published import LICENCES
from regnety.cli.options.shared import ENGINE_NAMES, PrecisionType
from regnety.inference.engines.registry import ENGINES, PRECISIONS

TRIED = [row.name for row in ENGINES.values() if row.tried]


class CommaList(click.ParamType[Any]):
    """Values separated by commas: `1,8`.

    Args:
        values: the type of each.
        metavar: their name in the help.
    """

    name = "list"

    def __init__(self, values: click.ParamType[Any], metavar: str) -> None:
        self._values = values
        self._metavar = metavar

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The name in the usage line."""
        return self._metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """The text as a tuple."""
        if isinstance(value, tuple):  # click converts defaults too, and a second time
            return value
        return tuple(self._values.convert(part.strip(), param, ctx) for part in str(value).split(","))


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),  # bounded: a typing error must not start a million
    metavar="NUMBER",
    help="Threads that share one batch; one per core by default.",
)
LICENSES = ("commercial", *LICENCES)  # the first stands for all that allow commercial use
license_option = click.option(
    "--license",
    "licenses",
    type=CommaList(click.Choice(LICENSES), "NAME,..."),
    default=(),
    show_default=False,
    help=f"Only weights under these licences: {', '.join(LICENSES)}.",
)
fresh_option = click.option("--fresh", is_flag=True, help="Measure again, even what is cached.")
engines_option = click.option(
    "--engines",
    type=CommaList(click.Choice(ENGINE_NAMES), "NAME,..."),
    default="auto",
    help=f"Any of {', '.join(ENGINE_NAMES)}; auto is {' and '.join(TRIED)}, if installed.",
)
precisions_option = click.option(
    "--precisions",
    type=CommaList(PrecisionType(PRECISIONS), "NAME,..."),
    default="auto",
    help=f"Any of {', '.join(PRECISIONS)}; auto is all that run here.",
)
fastest_precision_option = click.option(
    "--precision",
    type=PrecisionType(PRECISIONS),
    default="auto",
    help="Precision to compute in; auto is the fastest one here.",
)
batch_sizes_option = click.option(
    "--batch-sizes",
    type=CommaList(click.IntRange(1, 4096), "NUMBER,..."),  # bounded, as a typing error would take all memory
    default="1,8",
    help="Images in a batch.",
)
plot_option = click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw accuracy against latency to a .png or .svg file.",
)
