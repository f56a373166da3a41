"""`regnety`: the commands, and the one place where an error becomes a line and an exit status."""

import io
import os
import sys

import typer

from regnety import version
from regnety.cli.describe import describe
from regnety.cli.evaluate import evaluate
from regnety.cli.models import models
from regnety.cli.predict import predict
from regnety.cli.train import train
from regnety.errors import RegNetYError

app = typer.Typer(
    name="regnety",
    help="Design, train and run RegNetY image classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(predict)
app.command()(models)
app.command()(describe)
app.command()(train)
app.command("eval")(evaluate)


@app.callback(invoke_without_command=True)
def _options(
    show_version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if show_version:
        print(version.__version__)
        raise typer.Exit()


def main() -> None:
    """Run a command. Exit status: 0; 1 where an image was unreadable; 2 before any work began."""
    if sys.stdout is None:  # closed by whoever started us: the work is done all the same
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the console cannot show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="regnety")
    except (RegNetYError, OSError) as error:
        if os.environ.get("REGNETY_DEBUG"):
            raise
        print(f"regnety: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
