"""The commands, put together; and what typer says of a wrong command line, as one line."""

import sys
from collections.abc import Sequence

import typer

from regnety import version
from regnety.cli.describe import describe
from regnety.cli.evaluate import evaluate
from regnety.cli.export import export
from regnety.cli.models import models
from regnety.cli.predict import predict
from regnety.cli.train import train

_ClickException = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of what a wrong command line raises; typer has click inside or beside it, as its release has it."""

app = typer.Typer(
    name="regnety",
    help="Design, train and run RegNetY image classifiers.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(predict)
app.command()(describe)
app.command()(models)
app.command()(train)
app.command()(export)
app.command("eval")(evaluate)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if show_version:
        print(version.__version__)
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


def run_command(arguments: Sequence[str]) -> int:
    """Run a command; its exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        BrokenPipeError: whoever read the output has left.
    """
    try:
        return int(app(list(arguments), prog_name="regnety", standalone_mode=False) or 0)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:  # what typer makes of a broken pipe, and of nothing else when it does not stand alone
        raise BrokenPipeError from None
    except Exception as error:
        if not isinstance(error, _ClickException):
            raise
        message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        context = getattr(error, "ctx", None)
        print(f"regnety: {message} ({context.command_path if context else 'regnety'} --help)", file=sys.stderr)
        return 2
