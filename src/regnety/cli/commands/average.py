"""`regnety average`."""

import os
from pathlib import Path

import click

from regnety.cli.options.shared import folder_option, quiet_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.notices import say


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CHECKPOINTS...")
@folder_option("Folder for the averaged model.")
@quiet_option
def average(checkpoints: tuple[str, ...], output: Path, quiet: bool) -> None:
    """Average the weights of several models.

    CHECKPOINTS are those of a run, its folder, which means all of them, or any models of one design with the same
    classes. An average of epochs near to each other is often better than each; `regnety eval` tells.

    Example:  regnety average runs/flowers/checkpoints/* -o averaged
    """
    from regnety.bundle.averaging import average_models
    from regnety.bundle.folders.ours import check_replaceable

    def check() -> None:
        if os.path.lexists(output):
            check_replaceable(output)

    claimed = claim(output, is_folder=True, check=check)
    bundle = average_models(checkpoints, quiet=quiet)
    say_replaced(claimed, quiet=quiet)
    bundle.save(output)
    if not quiet:
        bundle.say_if_not_for_timm(output)
        say(f"averaged {', '.join(bundle.provenance['averaged_from'])}")
    print(output)
