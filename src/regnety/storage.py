"""Where things are kept on disk, and how a file comes to its place whole or not at all."""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regnety.text import reason_of

OLD_SUFFIX = ".old"
WEIGHTS_FOLDER = "weights"
REMADE_FOLDERS = ("compared", "contents", "graphs", "latency", "openvino", "plans")
"""What we keep in the cache beside weights, and can make again: which strangers' files were compared with their graphs,
checksums of large files, graphs as built, how long models take, graphs as OpenVINO compiled them, how models are run
fastest."""
NO_CACHE = Path(os.devnull) / "regnety"
"""A place where nothing can be and nothing can be kept, for a user without a home directory."""

logger = logging.getLogger("regnety.cache")


def cache_directory() -> Path:
    """The folder for what can be made again: `REGNETY_CACHE`, else the platform's cache folder. It may not exist.

    It is `NO_CACHE` where neither is known: a container runs as a user whom its system does not know.
    """
    moved = os.environ.get("REGNETY_CACHE")
    if moved:
        return Path(moved)
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no home directory
        return NO_CACHE
    return base / "regnety"


def say_not_kept(place: Path, error: OSError) -> None:
    """Say once in a process that nothing can be kept in the cache; all works without, and starts more slowly."""
    logger.info("%s: is not kept: %s", place, error)
    if not _SAID:
        _SAID.add(True)
        if cache_directory() == NO_CACHE:
            what = "there is no cache, as this user has no home directory"
        else:
            what = f"nothing can be kept in the cache {cache_directory()} ({reason_of(error)})"
        logger.warning("%s; models start more slowly; REGNETY_CACHE names a folder for it", what)


_SAID: set[bool] = set()


def cache_sizes() -> dict[str, int]:
    """Bytes of each of our folders in the cache that there is."""
    folders = (*REMADE_FOLDERS, WEIGHTS_FOLDER)
    return {name: size for name in folders if (size := _size(cache_directory() / name)) is not None}


def empty_cache() -> int:
    """Remove from the cache what can be made again, and neither weights nor what is not ours; the bytes that it took.

    Raises:
        OSError: something cannot be removed.
    """
    freed = sum(size for name, size in cache_sizes().items() if name != WEIGHTS_FOLDER)
    for name in REMADE_FOLDERS:
        with suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(cache_directory() / name)
    return freed


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file beside its place, and rename it there once it is whole and on the disk.

        with replacing(path) as beside:
            beside.write_bytes(data)

    Whoever reads `path` meanwhile, or after a kill, sees the old file or the new one. On an exception nothing is left.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))  # a link stays one; what it leads to is replaced
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "is a folder, a device or a pipe, not a file that may be replaced", str(path))
    beside = _part_of(place)
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield beside
        _give_ordinary_mode(beside)
        _flush(beside)
        beside.replace(place)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        _name_the_place(error, beside, path)
        raise


@contextmanager
def replacing_together(path: str | Path, *, companions: Iterable[str] = ()) -> Iterator[Path]:
    """Write a file and those that it refers to, and move them to their place once all are whole and on the disk.

        with replacing_together("model.xml") as beside:
            beside.write_text(text)  # its name is model.xml, in a folder of its own
            beside.with_suffix(".bin").write_bytes(data)

    An old file goes before the first of the others comes, and the new one comes last: a kill between them leaves none
    at that place, never one that refers to another one's arrays. On an exception nothing is left, and nothing changed.

    Args:
        path: where the main file goes.
        companions: names of files that the old one may refer to; they go with it where the new one has none such.
    """
    path = Path(path)
    folder = _part_of(path)
    beside = folder / path.name
    try:
        folder.mkdir(0o700)
        yield beside
        others = [file for file in sorted(folder.iterdir()) if file != beside]
        for file in (beside, *others):
            _give_ordinary_mode(file)
            _flush(file)
        _bring(beside, others, {*companions} if path.exists() else set(), path.parent)
    except BaseException as error:
        _name_the_place(error, folder, path)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring(main: Path, others: list[Path], companions: set[str], place: Path) -> None:
    """Move files to their place, the main one last; what stood there is put back if that ends half way."""
    old = main.parent / ".old"
    old.mkdir()
    coming = [file.name for file in (*others, main)]
    leaving = [main.name, *coming[:-1], *sorted(companions - {*coming})] if others else []
    try:
        for name in leaving:
            with suppress(FileNotFoundError):
                (place / name).rename(old / name)
        for file in (*others, main):
            file.replace(place / file.name)
    except BaseException:
        for name in leaving:
            if (old / name).exists():
                (old / name).replace(place / name)
            elif name in coming and not (main.parent / name).exists():
                (place / name).unlink(missing_ok=True)
        raise
    if not others:
        for name in companions:
            (place / name).unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder beside its place, and rename it there once it is whole; what stood there is removed.

    On an exception what stood there stands there again. A kill between the two renames leaves the old folder as
    `.NAME.old`, never a mixture; whoever writes there next, or calls `remove_leftovers`, puts it back.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.with_name(f".{path.name}{OLD_SUFFIX}")
    _put_back(old, path)
    beside = _part_of(path)
    try:
        beside.mkdir(0o700)
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                _flush(file)
        _give_ordinary_mode(beside)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        beside.rename(path)
    except BaseException as error:
        _put_back(old, path)
        shutil.rmtree(beside, ignore_errors=True)
        _name_the_place(error, beside, path)
        raise
    shutil.rmtree(old, ignore_errors=True)  # the new one stands; what is left of the old one goes the next time


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be alone, among all processes and threads, with what is to come to a place; its folder is made.

    The lock ends with its process, however that ends.

    Args:
        path: the place; the lock stands beside it.
        on_wait: called where another one has the lock, before it is waited for.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_room(path: Path, missing_bytes: int) -> None:
    """See that so many more bytes have room on the disk where a file is to be.

    Raises:
        OSError: they have not (ENOSPC).
    """
    if _free_bytes(path) < missing_bytes:
        raise disk_full(path, missing_bytes)


def disk_full(path: Path, missing_bytes: int | None = None) -> OSError:
    """The error of a file that has no room: its place, the bytes that are free, and those that are missing if known."""
    needed = "" if missing_bytes is None else f"{missing_bytes:,} more bytes are needed and "
    return OSError(errno.ENOSPC, f"the disk is full: {needed}{_free_bytes(path):,} are free", str(path))


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left of `replacing` in a folder that nobody else writes to now."""
    if not folder.is_dir():
        return
    for old in folder.glob(f".*{OLD_SUFFIX}"):
        _put_back(old, old.with_name(old.name[1 : -len(OLD_SUFFIX)]))
    for leftover in [*folder.glob(".*.part"), *folder.glob(f".*{OLD_SUFFIX}")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _put_back(old: Path, place: Path) -> None:
    """An old folder, where the new one never came to its place."""
    if os.path.isdir(old) and not os.path.lexists(place):
        old.rename(place)


def _part_of(path: Path) -> Path:
    """Where something is written first: a name that is known before it is made, so that nothing is left of it."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")


def _name_the_place(error: BaseException, beside: Path, path: Path) -> None:
    """A full disk names no file, and what stands beside the place is nobody's business."""
    if isinstance(error, OSError) and error.errno is not None:
        named = Path(error.filename) if isinstance(error.filename, str) else None
        if named is None or named == beside or beside in named.parents:
            error.filename = str(path)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())).free


def _size(folder: Path) -> int | None:
    """Bytes of the files in a folder, also of those that come and go meanwhile; None where there is none."""
    if not os.path.isdir(folder):  # also where it may not be looked into
        return None
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _give_ordinary_mode(path: Path) -> None:
    """Files and folders are private while they are written; what is kept follows the user's umask like any other."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
