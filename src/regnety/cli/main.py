"""The edge: where an error becomes one line and an exit status. It imports nothing that takes time.

Exit status: 0; 1 where an image was unreadable, or an asked-for check failed; 2 before any work began; 130 after
Ctrl-C; 141 where whoever read the output has left.
"""

import io
import os
import sys

BROKEN_PIPE = 141
INTERRUPTED = 130


def main() -> None:
    """Run the command that the arguments name, and end the process with its status."""
    _prepare_streams()
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where what is left in the buffer may go
        status = BROKEN_PIPE
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _run() -> int:
    try:
        from regnety.cli.application import run

        return run(sys.argv[1:])
    except Exception as error:
        from regnety.errors import RegNetYError

        if os.environ.get("REGNETY_DEBUG") or not isinstance(error, RegNetYError | OSError):
            raise
        if isinstance(error, BrokenPipeError):
            raise
        print(f"regnety: {_one_line(error)}", file=sys.stderr)
        return 2


def _prepare_streams() -> None:
    if sys.stdout is None:  # closed by whoever started us: the work is done all the same
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the console cannot show is no reason to fail
            stream.reconfigure(errors="backslashreplace")


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
