"""Files and folders that are whole or absent, whenever the process is killed."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OLD_SUFFIX = ".old"


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
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException as error:
        # not `finally`: Ctrl-C within it would leave the rest of the folder
        shutil.rmtree(folder, ignore_errors=True)
        _name_the_place(error, folder, path)
        raise


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
        shutil.rmtree(old, ignore_errors=True)  # what this cannot remove, the next write does
    except BaseException as error:
        _put_back(old, path)
        for folder in (beside, old) if path.exists() else (beside,):
            shutil.rmtree(folder, ignore_errors=True)
        _name_the_place(error, beside, path)
        raise


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


def _flush(path: Path) -> None:
    with path.open("rb+") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def _give_ordinary_mode(path: Path) -> None:
    """Give a finished file or folder, private until now, the permissions that the user's umask asks for."""
    mask = os.umask(0)  # there is no other way to read it
    os.umask(mask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
