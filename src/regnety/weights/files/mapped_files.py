"""A file in memory without being read."""

import mmap
import stat
from pathlib import Path
from typing import TypeAlias

from regnety.errors import WeightsError

Buffer: TypeAlias = mmap.mmap | bytes


def map_file(path: Path) -> Buffer:
    """The bytes of a file, read-only; they stay mapped while a view of them lives.

    A file that is replaced meanwhile stays what it was; one that is cut short in its place ends the process when what
    is gone is read, as with every map.

    Raises:
        WeightsError: there is no such file, it is a folder, a device or a pipe, or may not be read; the message begins
            with the path.
    """
    try:
        status = path.stat()  # asked before it is opened: opening a pipe waits for whoever writes to it
        if stat.S_ISDIR(status.st_mode):
            raise WeightsError(f"{path}: is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError(f"{path}: is a device or a pipe, not a file")
        if status.st_size == 0:
            return b""  # of which there is no map
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
