"""The cache folder, and writing files so that they are whole or absent, whenever the process is killed."""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from regnety.errors import RecipeError
from regnety.text import reason_of

OLD_SUFFIX = ".old"
WEIGHTS_FOLDER = "weights"
CacheFolder: TypeAlias = Literal["compared", "compiled", "contents", "data", "embeddings", "graphs", "latency", "plans"]
"""Folders of the cache that can be made again: foreign files that were compared with our network, graphs as an engine
compiled them, checksums of large files, data sets of the web, embeddings, graphs, measured latencies, and how each
model runs fastest."""
REMADE_FOLDERS = (*get_args(CacheFolder), "openvino")  # the former name of `compiled`: it may hold hundreds of MB
NO_CACHE = Path(os.devnull) / "regnety"
"""The cache of a user without a home directory: nothing can be read or written below /dev/null."""

logger = logging.getLogger("regnety.cache")


def cache_directory() -> Path:
    """`REGNETY_CACHE`, else the platform's cache folder; it may not exist. `NO_CACHE` for a user without a home."""
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
    except RuntimeError:  # no home directory: a container may run as a user that is not in /etc/passwd
        return NO_CACHE
    return base / "regnety"


def cache_folder(name: CacheFolder) -> Path:
    """A folder of the cache, which `empty_cache` removes; it may not exist."""
    return cache_directory() / name


def say_not_kept(place: Path, error: OSError) -> None:
    """Warn once per process that the cache cannot be written; everything works without it, but starts more slowly."""
    logger.info("%s: cannot be kept: %s", place, error)
    if not _SAID:
        _SAID.add(True)
        if cache_directory() == NO_CACHE:
            what = "there is no cache, as this user has no home directory"
        else:
            what = f"nothing can be kept in the cache {cache_directory()} ({reason_of(error)})"
        logger.warning("%s; models start more slowly; set REGNETY_CACHE to a folder that can be written", what)


_SAID: set[bool] = set()


def cache_sizes() -> dict[str, int]:
    """Bytes of each of our folders in the cache; those that do not exist are omitted."""
    folders = (*REMADE_FOLDERS, WEIGHTS_FOLDER)
    return {name: size for name in folders if (size := _size(cache_directory() / name)) is not None}


def empty_cache() -> int:
    """Remove from the cache what can be made again, not weights and not others' files; returns the bytes freed.

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
    """Write a file next to its place, and rename it once it is whole and on the disk.

        with replacing(path) as beside:
            beside.write_bytes(data)

    A reader of `path`, meanwhile or after a kill, sees the old file or the new one. An exception leaves nothing behind.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))  # a link stays a link; its target is replaced
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "is a folder, a device or a pipe, not a file that may be replaced", str(path))
    beside = _part_of(place)
    try:
        # private until it is whole, and O_EXCL so that nobody can put a link there first
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield beside
        _give_ordinary_mode(beside)
        # before the rename: else a power cut can leave the new name with nothing in it
        _flush(beside)
        beside.replace(place)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        _name_the_place(error, beside, path)
        raise


@contextmanager
def replacing_together(path: str | Path, *, companions: Iterable[str] = ()) -> Iterator[Path]:
    """Write a file and the files it refers to, and move them to their place once all are whole and on the disk.

        with replacing_together("model.xml") as beside:
            beside.write_text(text)  # named model.xml, in a temporary folder
            beside.with_suffix(".bin").write_bytes(data)

    The old main file is removed first and the new one comes last, so a kill in between leaves none at all, never one
    that refers to the other's arrays. An exception leaves nothing behind and changes nothing.

    Args:
        path: where the main file goes.
        companions: names of files that the old one may refer to; they are removed with it if the new one has none.
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
    """Move files to their place, the main one last; what was there is put back if that fails half way."""
    old = main.parent / ".old"
    old.mkdir()
    coming = [file.name for file in (*others, main)]
    # the main file leaves first and comes last: without it nobody reads the others
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
    """Fill a folder next to its place, and rename it once it is whole; what was there before is removed.

    An exception restores what was there. A kill between the two renames leaves the old folder as `.NAME.old`, never a
    mixture of both; the next write, or `remove_leftovers`, puts it back.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
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
            path.rename(old)  # a folder that is not empty cannot be renamed over, as a file can
        beside.rename(path)
    except BaseException as error:
        _put_back(old, path)
        shutil.rmtree(beside, ignore_errors=True)
        _name_the_place(error, beside, path)
        raise
    shutil.rmtree(old, ignore_errors=True)  # what this cannot remove, the next write does


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a place against all other processes and threads; its folder is created.

    The system releases the lock when the process ends, also by a kill.

    Args:
        path: the place; the lock stands beside it.
        on_wait: called before waiting for a lock that somebody else holds; it may raise instead.
    """
    from filelock import FileLock, Timeout  # late: start-up takes no lock

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


@contextmanager
def alone_in(run: Path, name: str, *, doing: str) -> Iterator[None]:
    """Be the only process that works in a folder, which is created. A killed process does not keep it locked.

    Args:
        run: the folder.
        name: of the lock, `.NAME.lock`.
        doing: what the other process does there, for the message: `training`.

    Raises:
        RecipeError: another process works there, or the folder cannot be created or written to.
    """

    def refuse() -> None:
        raise RecipeError(f"{run}: another process is {doing} there; wait for it, or name another output")

    with ExitStack() as stack:
        try:
            stack.enter_context(locked(run / name, on_wait=refuse))
        except OSError as error:
            raise RecipeError(f"{run}: cannot be created or written to: {reason_of(error)}") from error
        yield


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


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder that nobody else writes to now."""
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
    """Rename an old folder back if the new one never came to its place."""
    if os.path.isdir(old) and not os.path.lexists(place):
        old.rename(place)


def _part_of(path: Path) -> Path:
    """Where something is written first; on the same disk, so that a rename moves it in one step."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")


def _name_the_place(error: BaseException, beside: Path, path: Path) -> None:
    """Name the user's file in an error, not our temporary one; a full disk names none at all."""
    if isinstance(error, OSError) and error.errno is not None:
        named = Path(error.filename) if isinstance(error.filename, str) else None
        if named is None or named == beside or beside in named.parents:
            error.filename = str(path)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())).free


def _size(folder: Path) -> int | None:
    """Bytes of the files in a folder; None if there is no folder."""
    if not os.path.isdir(folder):  # False too for a folder that this user may not look into
        return None
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # another process may have removed it meanwhile
                # lstat: a link to weights on another disk takes no room here
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def _flush(path: Path) -> None:
    with path.open("rb+") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def _give_ordinary_mode(path: Path) -> None:
    """Give a finished file or folder, private until now, the permissions that the user's umask asks for."""
    mask = os.umask(0)  # there is no other way to read it
    os.umask(mask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
