"""A group of commands, each of which is loaded when it is asked for."""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click


class CommandGroup(click.Group):
    """Imports a command's module only then: `predict` must not pay for what `train` imports."""

    modules: ClassVar[Mapping[str, str]]
    """Each command and its module in `commands/`, which has a function of the module's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is none."""
        if cmd_name not in self.modules:
            return None
        module = self.modules[cmd_name]
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
