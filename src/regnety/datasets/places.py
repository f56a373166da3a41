"""The files of a data set, here or at an address: which ones a pattern or a folder names, and their bytes."""

import glob
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from regnety.errors import DataError, RegNetYError
from regnety.files.opening import open_file
from regnety.images.formats import is_passed_over
from regnety.remote import WEB, file_system, is_remote, what_went_wrong
from regnety.text import reason_of

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
MOST_FILES = 1_000_000


def is_address(place: object) -> bool:
    """Whether it is an address of a store or of the web."""
    return isinstance(place, str) and (is_remote(place) or place.lower().startswith(WEB))


def is_pattern(place: str) -> bool:
    """Whether it names several files: `train-{0000..0009}.tar`, `*.tar`. A question mark in a web address is none."""
    return bool(_BRACES.search(place)) or (not place.lower().startswith(WEB) and glob.has_magic(place))


def files_of(pattern: str) -> list[str]:
    """The files that a pattern names, sorted where it leaves the order open.

    Raises:
        DataError: there is none, or they cannot be listed.
    """
    files: list[str] = []
    for place in _without_braces(pattern):
        if not glob.has_magic(place) or place.lower().startswith(WEB):
            files.append(place)
        elif is_remote(place):
            scheme = place.partition("://")[0]
            files += sorted(f"{scheme}://{name}" for name in _ask(place, lambda files, place: files.glob(place)))
        else:
            files += sorted(glob.glob(place, recursive=True))
        if len(files) > MOST_FILES:
            raise DataError(f"{pattern}: names more than {MOST_FILES} files")
    if not files:
        raise DataError(f"{pattern}: no file has such a name")
    return list(dict.fromkeys(files))


def files_below(folder: str | Path, suffixes: tuple[str, ...]) -> list[str]:
    """The files with a suffix in a folder and those inside, here or in a store, sorted by their whole name.

    Raises:
        DataError: they cannot be listed.
    """
    if isinstance(folder, str) and is_remote(folder):
        scheme = folder.partition("://")[0]
        found = [f"{scheme}://{name}" for name in _ask(folder, lambda files, place: files.find(place.rstrip("/")))]
        start = len(folder.rstrip("/")) + 1
    else:
        found = [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]
        start = len(os.path.join(folder, ""))
    return sorted(
        place
        for place in found
        if place.lower().endswith(suffixes) and not any(map(is_passed_over, re.split(r"[/\\]", place[start:])))
    )


def exists(address: str) -> bool:
    """Whether a store has a file at an address, and not a folder or nothing.

    Raises:
        DataError: the store cannot be asked.
    """
    return bool(_ask(address, lambda files, place: files.isfile(place)))


def folder_of(place: str) -> str:
    """The folder in which a file stands, here or at an address; of a pattern the part before its first wildcard."""
    cut = re.split(r"[*?\[{]", place, maxsplit=1)[0] if is_pattern(place) else place
    head, _, _ = cut.rpartition("/" if is_address(place) or os.sep == "/" else os.sep)
    return head or ("/" if cut.startswith("/") else ".")


@contextmanager
def opened(place: str) -> Iterator[BinaryIO]:
    """A file of a data set, here or in a store, to read and to seek in.

    Raises:
        DataError: it cannot be opened; errors while it is read are the caller's.
    """
    if is_remote(place):
        with _ask(place, lambda files, place: files.open(place, "rb")) as remote:
            yield remote
        return
    try:
        file = open_file(place)
    except FileNotFoundError:
        raise DataError(f"{place}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{place}: cannot be read: {reason_of(error)}") from None
    with file:
        yield file


@lru_cache(maxsize=4096)
def stamp_of(address: str) -> str:
    """What a store says of a file's version: its tag or its time, and its size. Asked once per process."""
    facts = _ask(address, lambda files, place: files.info(place))
    tag = next((facts[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if facts.get(key)), "")
    return f"{tag} {facts.get('size')}"


def what_failed(error: BaseException, place: str) -> str:
    """The reason why a file here or in a store could not be read, without its name."""
    return what_went_wrong(error, place) if is_remote(place) else reason_of(error)


def _ask(address: str, question: Any) -> Any:
    try:
        return question(file_system(address), address)
    except RegNetYError:
        raise
    except Exception as error:  # fsspec's stores raise their own libraries' errors, which have no common base
        raise DataError(f"{address}: {what_went_wrong(error, address)}") from error


def _without_braces(pattern: str) -> Iterator[str]:
    """`a{1..3}` as a1, a2, a3; `a{x,y}` as ax, ay. Numbers keep the digits of the first."""
    match = _BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    inner = match[1]
    numbers = _RANGE.fullmatch(inner)
    if numbers is None:
        words = inner.split(",")
        if len(words) == 1:
            raise DataError(f"{pattern}: {{{inner}}} is neither a range as {{0000..0009}} nor a list as {{a,b}}")
    else:
        first, last = int(numbers[1]), int(numbers[2])
        if last < first or last - first >= MOST_FILES:
            raise DataError(f"{pattern}: {{{inner}}} is no range of at most {MOST_FILES} files, from low to high")
        words = [str(number).zfill(len(numbers[1])) for number in range(first, last + 1)]
    for word in words:
        yield from _without_braces(pattern[: match.start()] + word + pattern[match.end() :])
