"""The edge: where an error becomes one line and an exit status. It imports nothing that takes time.

Exit status: 0; 1 if an image was unreadable or a requested check failed; 2 if no work began; 130 after Ctrl-C; 141 if
the reader of the output has gone; 143 if a training was ended by SIGTERM.
"""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# 128 and the signal's number, as a shell says it: SIGPIPE, SIGINT, SIGTERM
BROKEN_PIPE = 141
INTERRUPTED = 130
TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM came; its sender expects status 143."""


@contextmanager
def terminated_as(kind: type[KeyboardInterrupt]) -> Iterator[None]:
    """Raise this kind of exception on SIGTERM, by which schedulers end a process: work ends as on Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise kind

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> None:
    """Run the command that the arguments name, as the whole of this process."""
    status = run()
    # taking interpreter and engine apart piece by piece is a seventh of a prediction's time, and the system frees all
    # of it anyway; torch has worker processes that have to be told
    if sys.modules.get("torch") is None:
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def run() -> int:
    """Run the command that the arguments name; its exit status."""
    try:
        _prepare_streams()
        status = _run_command()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain at exit that it cannot flush
        return BROKEN_PIPE
    except KeyboardInterrupt as interruption:
        return TERMINATED if isinstance(interruption, Terminated) else INTERRUPTED
    return status


def _run_command() -> int:
    try:
        from regnety.cli.application import run_command

        return run_command(sys.argv[1:])
    except Exception as error:  # errors that a user can cause become a line; all others are bugs and keep their trace
        if (interruption := _interruption_behind(error)) is not None:
            raise interruption from None
        from regnety.errors import RegNetYError

        if isinstance(error, ImportError):
            error = _installation_error(error)
        if os.environ.get("REGNETY_DEBUG") or not isinstance(error, RegNetYError | OSError):
            raise
        if isinstance(error, BrokenPipeError):
            raise
        from regnety.text import error_line, printable

        print(f"regnety: {printable(error_line(error))}", file=sys.stderr)
        return 2


def _installation_error(error: ImportError) -> Exception:
    """An error that names the missing or broken package; the error itself if the package is not to blame."""
    import traceback

    from regnety.errors import RegNetYError
    from regnety.extras import does_not_work

    if isinstance(error, RegNetYError):
        return error
    # the outermost frame below our own: numpy may be what fails, but onnxruntime is what regnety imported
    rooms = [
        frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    below = rooms[len(rooms) - rooms[::-1].index("regnety") :]
    package = next((room for room in below if room != "importlib"), (error.name or "regnety").partition(".")[0])
    if package == "regnety":
        return error
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return RegNetYError(f"{package} is not installed, and regnety needs it; reinstall regnety")
    return RegNetYError(does_not_work(package, error))


def _interruption_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    # a library that is interrupted while it is imported, as ONNX Runtime, makes an ImportError of it
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def _prepare_streams() -> None:
    if sys.stdout is None:  # closed by the parent process: the work is done all the same
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the console cannot show must not fail
            stream.reconfigure(errors="backslashreplace")
