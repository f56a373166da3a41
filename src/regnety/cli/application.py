"""The commands by name, each loaded when it is asked for; and what a wrong command line is told, as one line.

click itself rather than typer on top of it: typer 0.29 imports pydantic, which costs a prediction a tenth of its time
and of its memory.
"""

import importlib
import logging
import os
from collections.abc import Sequence

import click

from regnety import version
from regnety.cli.output.notices import say

COMPLETION = "_REGNETY_COMPLETE"
"""The variable by which a shell asks for completions."""
COMMANDS = {
    "predict": ("regnety.cli.commands.predict", "predict"),
    "models": ("regnety.cli.commands.models", "models"),
    "describe": ("regnety.cli.commands.describe", "describe"),
    "card": ("regnety.cli.commands.card", "card"),
    "train": ("regnety.cli.commands.train", "train"),
    "embed": ("regnety.cli.commands.embed", "embed"),
    "neighbours": ("regnety.cli.commands.neighbours", "neighbours"),
    "duplicates": ("regnety.cli.commands.duplicates", "duplicates"),
    "eval": ("regnety.cli.commands.evaluate", "evaluate"),
    "convert": ("regnety.cli.commands.convert", "convert"),
    "inspect": ("regnety.cli.commands.inspect", "inspect"),
    "export": ("regnety.cli.commands.export", "export"),
    "quantize": ("regnety.cli.commands.quantize", "quantize"),
    "fetch": ("regnety.cli.commands.fetch", "fetch"),
    "bench": ("regnety.cli.commands.bench", "bench"),
    "pick": ("regnety.cli.commands.pick", "pick"),
    "info": ("regnety.cli.commands.info", "info"),
    "completion": ("regnety.cli.commands.completion", "completion"),
}
"""Command to its module and its name in there."""
SPELLINGS = {"neighbors": "neighbours"}
"""Other spellings of commands, which no list shows."""


class _Commands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = SPELLINGS.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
)
@click.version_option(version.__version__, message="%(version)s", help="Print the version and exit.")
@click.pass_context
def application(context: click.Context) -> None:
    """Design, train and run RegNetY image classifiers.

    Example:  regnety predict photo.jpg
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


class _Warnings(logging.Handler):
    """What the package logs, in the form of everything else on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def run_command(arguments: Sequence[str]) -> int:
    """Run a command; its exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        BrokenPipeError: whoever read the output has left.
    """
    logger, handler = logging.getLogger("regnety"), _Warnings(logging.WARNING)
    logger.addHandler(handler)
    try:
        return int(application.main(list(arguments), prog_name="regnety", standalone_mode=False) or 0)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "regnety"
        say(f"{error.format_message()} ({command} --help)")
        return 2
    except click.ClickException as error:
        say(error.format_message())
        return 2
    except click.Abort as abort:  # what click makes of Ctrl-C
        raise (abort.__cause__ if isinstance(abort.__cause__, KeyboardInterrupt) else KeyboardInterrupt()) from None
    except SystemExit as end:  # the end of a shell's question for completions; else what click makes of a broken pipe
        if COMPLETION in os.environ:
            return int(end.code or 0)
        raise BrokenPipeError from None
    finally:
        logger.removeHandler(handler)
        logging.getLogger("regnety.cache").setLevel(logging.NOTSET)  # --quiet may have raised it
