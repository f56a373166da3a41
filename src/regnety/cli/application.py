"""The commands by group, each loaded when it is asked for; a wrong command line becomes one line.

click itself rather than typer on top of it: typer 0.29 imports pydantic, which costs a prediction a tenth of its time
and of its memory.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from typing import ClassVar

import click

from regnety import version
from regnety.cli.command_group import CommandGroup
from regnety.notices import say

COMPLETION = "_REGNETY_COMPLETE"  # click's convention: a shell asks for completions by this variable
GROUPS = {
    "Use": ("predict", "explain", "embed", "neighbours", "duplicates"),
    "Train": ("check", "finetune", "train", "recipes", "average", "eval", "report"),
    "Models": ("models", "describe", "inspect", "card", "fetch", "pick", "bench"),
    "Design spaces": ("design",),
    "Deploy": ("export", "convert", "quantize"),
    "This machine": ("info", "completion"),
}
"""Commands by their heading in `regnety --help`. Each is a function in `commands/` in a module of its name."""
FUNCTIONS = {"eval": "evaluate"}  # `eval` is a built-in of Python
NUMBERS = {
    "a valid integer range": "a whole number",
    "a valid integer": "a whole number",
    "a valid float range": "a number",
    "a valid float": "a number",
}
"""What click calls numbers, and what they are; `range` says nothing as it stands for any limits."""
UNBROKEN = "\u2011"  # a hyphen at which no line is broken, in no help text itself
SPELLINGS = {"neighbors": "neighbours"}  # accepted, in no list


class _HelpFormatter(click.HelpFormatter):
    """Breaks no line within `hf-hub:` or `--model`: click would, after a hyphen, and has no setting for it."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", UNBROKEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, text.replace("-", UNBROKEN)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(UNBROKEN, "-")


click.Context.formatter_class = _HelpFormatter


class _Commands(CommandGroup):
    """All commands, listed under their headings."""

    modules: ClassVar = {name: FUNCTIONS.get(name, name) for names in GROUPS.values() for name in names}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, SPELLINGS.get(cmd_name, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))  # all headings share one column of texts
        for heading, names in GROUPS.items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{name:<{width}}", command.get_short_help_str(formatter.width))
                        for name, command in commands
                        if command
                    ]
                )


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
    """What the library logs becomes a line like every other on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def run_command(arguments: Sequence[str]) -> int:
    """Run a command; its exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        BrokenPipeError: the reader of the output has gone.
    """
    logger, handler = logging.getLogger("regnety"), _Warnings(logging.WARNING)
    logger.addHandler(handler)
    try:
        # a command returns its status, or nothing for 0; in standalone mode click would print errors in its own form
        return int(application.main(list(arguments), prog_name="regnety", standalone_mode=False) or 0)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "regnety"
        message = error.format_message()
        for kind, word in NUMBERS.items():
            message = message.replace(kind, word)
        if message.startswith("Got unexpected extra") and (".tar" in message or ".parquet" in message):
            message += " A pattern of several files is written in quotes, else the shell takes it apart."
        say(f"{message} ({command} --help)")
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
