"""The weights in our cache: which of them we fetched, and which were put there by hand.

Each file that we bring to its place gets a note `.NAME.fetched` beside it, with the size and the time of the file or
link. A file without a note, or with another size or time, was put there by hand: it may be the only copy. Such a file
gets a note `.NAME.checked` once its hash was found right.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from regnety.errors import WeightsError
from regnety.storage.cache import WEIGHTS_FOLDER, cache_directory

FETCHED, CHECKED = "fetched", "checked"


def note_fetched(path: Path) -> None:
    """Remember that a file, or a link into the Hub's cache, is of our making."""
    _take_note(path, FETCHED)


def check_placed(path: Path, url: str | None, sha256_prefix: str | None) -> None:
    """Hold a file that was put here by hand to the hash in its published name, once for each file.

    Args:
        path: the file.
        url: where its authors publish it.
        sha256_prefix: the first hex digits of its SHA-256; without them nothing is compared.

    Raises:
        WeightsError: it is another file; it stays where it is.
    """
    if sha256_prefix is None or _has_note(path, CHECKED):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()[: len(sha256_prefix)]
    if found != sha256_prefix:
        raise WeightsError(
            f"{path}: is not the file of {url}: its SHA-256 begins with {found}, expected {sha256_prefix}; remove it, "
            "or copy the file again"
        )
    _take_note(path, CHECKED)


def remove_weights(*, fetched: bool = False, placed: bool = False) -> int:
    """Remove weights from our cache. What is in the Hub's own cache stays there.

    Args:
        fetched: those that we fetched.
        placed: those that were put there by hand.

    Returns:
        The bytes that they took.

    Raises:
        OSError: something cannot be removed.
    """
    freed = 0
    for path in _files():
        if fetched if _has_note(path, FETCHED) else placed:
            freed += path.lstat().st_size
            path.unlink()
            for kind in (FETCHED, CHECKED):
                _note(path, kind).unlink(missing_ok=True)
    return freed


def count_weights() -> tuple[int, int]:
    """How many files we fetched, and how many were put there by hand."""
    fetched = [_has_note(path, FETCHED) for path in _files()]
    return sum(fetched), len(fetched) - sum(fetched)


def _files() -> Iterator[Path]:
    """All except those whose names begin with a dot, which are our own notes and locks."""
    folder = cache_directory() / WEIGHTS_FOLDER
    if os.path.isdir(folder):
        yield from sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())


def _take_note(path: Path, kind: str) -> None:
    with suppress(OSError):  # without a note a file counts as put there by hand and unchecked, which loses nothing
        _note(path, kind).write_text(_facts(path), "ascii")


def _has_note(path: Path, kind: str) -> bool:
    with suppress(OSError, ValueError):
        return _note(path, kind).read_text("ascii") == _facts(path)
    return False


def _note(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _facts(path: Path) -> str:
    # lstat: of the link, not of the file that it leads to, which belongs to the Hub's cache and may change there.
    status = path.lstat()
    return f"{status.st_size} {status.st_mtime_ns}"
