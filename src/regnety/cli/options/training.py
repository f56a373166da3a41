"""Options of the commands that train: `train`, `finetune` and `design run`; and the line that began them."""

import shlex
import sys
from collections.abc import Callable

import click

from regnety.cli.output.formats import Command

skip_unreadable_option = click.option(
    "--skip-unreadable", is_flag=True, help="Skip images that cannot be read, instead of stopping."
)


def settings_option(example: str) -> Callable[[Command], Command]:
    """--set of a recipe, with an example for the help."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Change a value of the recipe: {example}",
    )


def device_option(text: str) -> Callable[[Command], Command]:
    """--device, with this help."""
    return click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", help=text)


def command_line() -> str:
    """What a run's records say: the line that began it, also after it was resumed."""
    return shlex.join(["regnety", *(word for word in sys.argv[1:] if word != "--resume")])
