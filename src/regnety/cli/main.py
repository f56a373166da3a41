"""The edge: where an error becomes one line and an exit status. It imports nothing that takes time.

Exit status: 0; 1 where an image was unreadable, or an asked-for check failed; 2 before any work began; 130 after
Ctrl-C; 141 where whoever read the output has left; 143 where `train` was ended by SIGTERM.
"""

import io
import os
import sys

BROKEN_PIPE = 141
INTERRUPTED = 130
TERMINATED = 143


def main() -> None:
    """Run the command that the arguments name, as the whole of this process.

    Without torch, whose workers want to be told, the process ends at once: taking the interpreter and the engine apart
    piece by piece would be a seventh of the time of a prediction, and the system takes back everything anyway.
    """
    status = run()
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where what is left in the buffer may go
        return BROKEN_PIPE
    except KeyboardInterrupt as interruption:
        from regnety.cli.interruption import Terminated

        return TERMINATED if isinstance(interruption, Terminated) else INTERRUPTED
    return status


def _run_command() -> int:
    try:
        from regnety.cli.application import run_command

        return run_command(sys.argv[1:])
    except Exception as error:
        if (interruption := _interruption_behind(error)) is not None:
            raise interruption from None
        from regnety.errors import RegNetYError

        if isinstance(error, ImportError):
            error = _named(error)
        if os.environ.get("REGNETY_DEBUG") or not isinstance(error, RegNetYError | OSError):
            raise
        if isinstance(error, BrokenPipeError):
            raise
        from regnety.text import error_line, printable

        print(f"regnety: {printable(error_line(error))}", file=sys.stderr)
        return 2


def _named(error: ImportError) -> Exception:
    """Of a package that regnety cannot do without, and that is not there or broken: which; else the error itself."""
    import traceback

    from regnety.errors import RegNetYError
    from regnety.extras import does_not_work

    if isinstance(error, RegNetYError):
        return error
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
    """A library whose initialisation is interrupted makes an ImportError of it, ONNX Runtime for one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def _prepare_streams() -> None:
    if sys.stdout is None:  # closed by whoever started us: the work is done all the same
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the console cannot show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
