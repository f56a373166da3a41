"""Files opened without blocking: a pipe or a device in place of a file is an error, not a hang."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

Pipes: TypeAlias = Literal["none", "open", "any"]

OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""How the names of files begin that the shell opened for us: `< labels.txt`, and `<(cut -f 2 labels.tsv)`."""
NOT_A_FILE = "is a device or a pipe, not a file"
WAIT_S = 60
"""Seconds to wait for the first byte of a named pipe."""


class SpecialFileError(OSError):
    """The path leads to something other than a file."""

    def __str__(self) -> str:
        return self.strerror or ""


def open_file(path: str | Path, *, pipes: Pipes = "none") -> BinaryIO:
    """Open a file to read it.

    Args:
        path: the file.
        pipes: which pipes are accepted too: `open` those that this process was started with, `any` also a named one,
            whose writer is waited for `WAIT_S`.

    Raises:
        OSError: there is no such file, it is a folder, a device, a pipe or a socket (EINVAL), or may not be read; or
            nothing is written to the pipe (ETIMEDOUT).
    """
    taken = pipes == "any" or (pipes == "open" and os.fspath(path).startswith(OPEN_ALREADY))
    _check_kind(os.stat(path), path, taken)  # before it is opened: opening alone makes some devices act
    # O_NONBLOCK: without it the open itself waits until somebody opens the other end of a pipe.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        _check_kind(status, path, taken)  # the path may lead to something else by now
        if pipes == "any" and stat.S_ISFIFO(status.st_mode):
            _wait_for_a_writer(descriptor, path)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:  # Ctrl-C while it waits for a pipe too: the descriptor must not stay open
        os.close(descriptor)
        raise


def read_file_text(path: str | Path, *, pipes: Pipes = "none") -> str:
    """A file's text in UTF-8.

    Raises:
        OSError: as `open_file`.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_file(path, pipes=pipes) as file:
        return file.read().decode("utf-8").replace("\r\n", "\n")


def _wait_for_a_writer(descriptor: int, path: str | Path) -> None:
    import select  # rarely needed, and opening is on the way of every start

    if os.fspath(path).startswith(OPEN_ALREADY):
        return  # the shell has connected a writer
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(1000 * WAIT_S):
        raise SpecialFileError(
            errno.ETIMEDOUT, f"is a pipe, and nobody has written to it for {WAIT_S} s", os.fspath(path)
        )


def _check_kind(status: os.stat_result, path: str | Path, piped: bool) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode) and not (piped and stat.S_ISFIFO(status.st_mode)):
        raise SpecialFileError(errno.EINVAL, NOT_A_FILE, os.fspath(path))
