"""The cache folder: where it is, how much is in it, and what it says where nothing can be kept."""

import logging
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from regnety.text import reason_of

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
