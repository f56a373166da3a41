"""`regnety design`: a group of commands, each in a file of its own."""

from typing import ClassVar

import click

from regnety.cli.command_group import CommandGroup


class _DesignCommands(CommandGroup):
    modules: ClassVar = {
        "sample": "design_sample",
        "run": "design_run",
        "report": "design_report",
        "search": "design_search",
        "nearest": "design_nearest",
    }


@click.group(cls=_DesignCommands, invoke_without_command=True)
@click.pass_context
def design(context: click.Context) -> None:
    """Sample the design space, train what was sampled, and compare.

    Example:  regnety design sample --macs 380M:400M --count 500 -o designs.parquet
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
