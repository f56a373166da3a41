"""`regnety design`: a group of commands, each in a file of its own."""

import importlib

import click

COMMANDS = {
    "sample": "design_sample",
    "run": "design_run",
    "report": "design_report",
    "nearest": "design_nearest",
}
"""Each command and the module in `commands/` that has a function of that name."""


class _DesignCommands(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"regnety.cli.commands.{module}"), module)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, which names commands that are like an unknown one only where it holds the commands itself."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self.list_commands(ctx), ctx=ctx) from None


@click.group(cls=_DesignCommands, invoke_without_command=True)
@click.pass_context
def design(context: click.Context) -> None:
    """Sample the design space, train what was sampled, and compare.

    Example:  regnety design sample --macs 380M:400M --count 500 -o designs.parquet
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
