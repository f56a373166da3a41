"""The weights in our cache: which of them we fetched, and which somebody put there.

Whatever we bring to a place has `.NAME.fetched` beside it, with the size and the time of the file or link. A file
without it, or with another size or time, was put there by hand: it may be the only one.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from regnety.catalog.published import PublishedWeights
from regnety.errors import WeightsError
from regnety.storage import WEIGHTS_FOLDER, cache_directory

logger = logging.getLogger("regnety")

UNDER_WAY = (".part", ".part.tag")
"""How the names of files end that have not come whole."""


def note_fetched(path: Path) -> None:
    """Remember that a file, or a link into the Hub's cache, is of our making."""
    with suppress(OSError):  # then it counts as put there by hand, and stays
        _note(path, "fetched").write_text(_facts(path), "ascii")


def check_placed(published: PublishedWeights, path: Path, *, quiet: bool = False) -> None:
    """Hold a file that somebody put into our cache to the hash that is known of it; where none is, say so.

    That is done once, and again when there is another file: `.NAME.checked` beside it has what the disk said of it.

    Args:
        published: the weights that it should be.
        path: where it is.
        quiet: no notice.

    Raises:
        WeightsError: it is another file.
    """
    if _is_fetched(path) or _is_checked(path):
        return
    digits = published.url_sha256_prefix if path == published.url_path else _hash_in_the_hubs_cache(path)
    if digits is None:
        if quiet:
            return
        logger.warning(
            f"{published.name}: was put at {path} by hand, and no hash of this file is known; the keys and shapes in "
            "it are all that is checked"
        )
    else:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(digits):
            raise WeightsError(
                f"{path}: is not the published file: its SHA-256 begins with {found[: len(digits)][:16]}, not with "
                f"{digits[:16]}; remove it, or put the file of {published.url or published.hub_repo} there"
            )
    note_checked(path)


def note_checked(path: Path) -> None:
    """Remember that a file was looked at, as it is now."""
    with suppress(OSError):  # then it is looked at again
        _note(path, "checked").write_text(_all_facts(path), "ascii")


def _is_checked(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return _note(path, "checked").read_text("ascii") == _all_facts(path)
    return False


def _hash_in_the_hubs_cache(path: Path) -> str | None:
    """What a link leads to in the Hub's own cache is called by its SHA-256."""
    name = path.resolve().name if path.is_symlink() else ""
    return name if _SHA256.fullmatch(name) else None


_SHA256 = re.compile(r"[0-9a-f]{64}")


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
            for kind in ("fetched", "checked"):
                _note(path, kind).unlink(missing_ok=True)
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
        return _note(path, "fetched").read_text("ascii") == _facts(path)
    return False


def _note(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _facts(path: Path) -> str:
    status = path.lstat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _all_facts(path: Path) -> str:
    """Of the file itself, wherever a link leads: what changes with every other file that is put there."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
