"""Where things are kept on disk, and how a file comes to its place whole or not at all."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_directory() -> Path:
    """The folder for what can be made again: `REGNETY_CACHE`, else the platform's cache folder. It may not exist."""
    moved = os.environ.get("REGNETY_CACHE")
    if moved:
        return Path(moved)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "regnety"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file beside its place, and rename it there once it is whole and on the disk.

        with replacing(path) as beside:
            beside.write_bytes(data)

    Whoever reads `path` meanwhile, or after a kill, sees the old file or the new one. On an exception nothing is left.
    """
    path = Path(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(descriptor)
    beside = Path(name)
    try:
        yield beside
        _give_ordinary_mode(beside)
        _flush(beside)
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(beside)):
            error.filename = str(path)  # a full disk names no file, and the file beside is nobody's business
        raise


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder beside its place, and rename it there once it is whole; what stood there is removed.

    A kill between the two renames leaves the old folder as `.NAME.old`, never a mixture.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                _flush(file)
        _give_ordinary_mode(beside)
        if path.exists():
            old = path.with_name(f".{path.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
            beside.rename(path)
            shutil.rmtree(old)
        else:
            beside.rename(path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left of `replacing` in a folder that nobody else writes to now."""
    if not folder.is_dir():
        return
    for leftover in [*folder.glob(".*.part"), *folder.glob(".*.old")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _give_ordinary_mode(path: Path) -> None:
    """tempfile makes private files and folders; what is kept follows the user's umask like any other."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
