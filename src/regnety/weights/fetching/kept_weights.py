"""The weights in our cache: which of them we fetched, and which somebody put there.

Whatever we bring to a place has `.NAME.fetched` beside it, with the size and the time of the file or link. A file
without it, or with another size or time, was put there by hand: it may be the only one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from regnety.storage import WEIGHTS_FOLDER, cache_directory

UNDER_WAY = (".part", ".part.tag")
"""How the names of files end that have not come whole."""


def note_fetched(path: Path) -> None:
    """Remember that a file, or a link into the Hub's cache, is of our making."""
    with suppress(OSError):  # then it counts as put there by hand, and stays
        _note(path).write_text(_facts(path), "ascii")


def remove_weights(*, fetched: bool = False, placed: bool = False) -> int:
    """Remove weights from our cache. What stands in the Hub's own cache stays there.

    Args:
        fetched: what we fetched, and what is left of downloads that broke off.
        placed: what was put there by hand.

    Returns:
        The bytes that they took.

    Raises:
        OSError: something cannot be removed.
    """
    freed = 0
    for path in _files():
        if fetched if _is_fetched(path) else placed:
            freed += path.lstat().st_size
            path.unlink()
            _note(path).unlink(missing_ok=True)
    return freed


def count_weights() -> tuple[int, int]:
    """How many files we fetched, and how many were put there by hand."""
    fetched = [_is_fetched(path) for path in _files()]
    return sum(fetched), len(fetched) - sum(fetched)


def _files() -> Iterator[Path]:
    """All but what begins with a dot, which are our own notes and locks."""
    folder = cache_directory() / WEIGHTS_FOLDER
    if os.path.isdir(folder):
        yield from sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())


def _is_fetched(path: Path) -> bool:
    if path.name.endswith(UNDER_WAY):
        return True
    with suppress(OSError, ValueError):
        return _note(path).read_text("ascii") == _facts(path)
    return False


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.fetched")


def _facts(path: Path) -> str:
    status = path.lstat()
    return f"{status.st_size} {status.st_mtime_ns}"
