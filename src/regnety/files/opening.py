"""Files that are opened without waiting: a pipe or a device where a file is expected is an error, not a hang."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""How the names of what this process was started with begin: `< labels.txt`, and a shell's `<(cut -f 2 labels.tsv)`."""
NOT_A_FILE = "is a device or a pipe, not a file"


def open_file(path: str | Path, *, or_open_pipe: bool = False) -> BinaryIO:
    """Open a file to read it.

    Args:
        path: the file.
        or_open_pipe: take a pipe as well that this process was started with, as a shell's `<(command)` is one.

    Raises:
        OSError: there is no such file, it is a folder, a device, a pipe or a socket (EINVAL), or may not be read.
    """
    piped = or_open_pipe and os.fspath(path).startswith(OPEN_ALREADY)
    _check_kind(os.stat(path), path, piped)  # before it is opened: that alone makes some devices do something
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_kind(os.fstat(descriptor), path, piped)  # what was opened may be another one by now
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file_text(path: str | Path, *, or_open_pipe: bool = False) -> str:
    """A file's text in UTF-8.

    Raises:
        OSError: as `open_file`.
        UnicodeDecodeError: it is something else.
    """
    with open_file(path, or_open_pipe=or_open_pipe) as file:
        return file.read().decode("utf-8").replace("\r\n", "\n")


def _check_kind(status: os.stat_result, path: str | Path, piped: bool) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode) and not (piped and stat.S_ISFIFO(status.st_mode)):
        raise OSError(errno.EINVAL, NOT_A_FILE, os.fspath(path))
