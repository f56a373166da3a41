"""Room on the disk, before something is written that needs much."""

import errno
import shutil
from pathlib import Path


def check_room(path: Path, missing_bytes: int) -> None:
    """Check that the disk of a file has room for so many more bytes.

    Raises:
        OSError: it has not (ENOSPC).
    """
    if _free_bytes(path) < missing_bytes:
        raise disk_full(path, missing_bytes)


def disk_full(path: Path, missing_bytes: int | None = None) -> OSError:
    """The error of a full disk: the file, the bytes that are free, and those that are needed if known."""
    needed = "" if missing_bytes is None else f"{missing_bytes:,} more bytes are needed and "
    return OSError(errno.ENOSPC, f"the disk is full: {needed}{_free_bytes(path):,} are free", str(path))


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())).free
