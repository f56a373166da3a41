"""A file mapped into memory."""

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from regnety.errors import WeightsError
from regnety.files.opening import SpecialFileError, open_file
from regnety.text import reason_of

Buffer: TypeAlias = mmap.mmap | bytes


@dataclass(frozen=True, slots=True, eq=False)
class MappedFile:
    """A file that is mapped into memory: its bytes are read from the disk only where somebody looks at them."""

    path: Path
    data: Buffer
    """Its bytes, read-only; they stay mapped as long as a view of them exists."""
    status: os.stat_result
    """Of the open file, not of whatever has its name now."""

    @property
    def is_in_place(self) -> bool:
        """Whether its path still leads to it and it is unchanged, as far as its times tell."""
        try:
            return facts_of(self.status) == facts_of(self.path.stat())
        except OSError:
            return False


def map_file(path: Path) -> MappedFile:
    """Map a file into memory.

    A file that is replaced later stays what it was. One that is truncated in place ends the process (SIGBUS) when the
    missing part is read, as with every map.

    Raises:
        WeightsError: there is no such file, it is a folder, a device or a pipe, or may not be read; the message begins
            with the path.
    """
    try:
        with open_file(path) as file:
            status = os.fstat(file.fileno())
            if status.st_size == 0:
                return MappedFile(path, b"", status)  # mmap refuses to map nothing
            return MappedFile(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), status)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise WeightsError(f"{path}: is a folder, not a file") from None
    except OSError as error:
        reason = str(error) if isinstance(error, SpecialFileError) else f"cannot be read: {reason_of(error)}"
        raise WeightsError(f"{path}: {reason}") from error


def facts_of(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """What changes when a file is replaced or written to, on a disk that tells the truth."""
    # The ctime matters most: `cp -p` and tar restore an mtime, but nothing short of setting the clock sets a ctime.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
