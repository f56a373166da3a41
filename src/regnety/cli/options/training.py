"""Options of the commands that train: `train`, `finetune`, `design run` and `search`; and the line that began them."""

import shlex
import sys
from collections.abc import Callable

import click

from regnety.cli.output.formats import Command

skip_unreadable_option = click.option(
    "--skip-unreadable", is_flag=True, help="Skip images that cannot be read, instead of stopping."
)
val_data_option = click.option(
    "--val-data", type=click.Path(), metavar="DATA", help="Validation pictures, where the data has none; as the data."
)

no_report_option = click.option("--no-report", is_flag=True, help="Write no report.html.")


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


def trial_cluster_options(command: Command) -> Command:
    """--ray, --ray-workers and --gpus-per-worker of the commands that train populations."""
    options = (
        click.option(
            "--ray",
            metavar="local|auto|ADDRESS",
            help="Train several at a time on a Ray cluster; the results are the same.",
        ),
        click.option("--ray-workers", type=click.IntRange(1), metavar="NUMBER", help="Trials at a time, on a cluster."),
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(0),
            default=0.0,
            metavar="NUMBER",
            help="Cards of a trial on a cluster.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def command_line() -> str:
    """What a run's records say: the line that began it, also after it was resumed."""
    return shlex.join(["regnety", *(word for word in sys.argv[1:] if word != "--resume")])
