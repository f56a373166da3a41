"""The parts of a job, as files in its folder.

job.json        the settings that all parts have in common
000000.csv      the rows of the first images
000000.json     their names, how many could not be read, and which engine answered; written last: without it the
                part does not count
000001.csv      and so on
"""

import json
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from regnety.errors import JobError
from regnety.inference.jobs.done_names import DoneNames, name_hash
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.places import Place
from regnety.text import counted

FORMAT_VERSION = 1  # a job with a later one is refused, not guessed at
HEAD = "job.json"
_SIDECAR = re.compile(r"(\d{6,})\.json")  # seven digits from the millionth part on


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of some images' rows without reading them."""

    names: tuple[str, ...]
    """Names of the images, as they were given, in the order of their rows."""
    unreadable: int
    """How many of them have an error."""
    base: str | None = None
    """The folder that relative names are relative to, as `Place.base` gives it; None for the working directory."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The engine that answered them."""


class Parts:
    """The parts in a job's folder.

    Args:
        place: the output and its job's folder.
        row_format: csv, jsonl or parquet.
    """

    def __init__(self, place: Place, row_format: str) -> None:
        self.place = place
        self._row_format = row_format
        self._began = False
        self._parts: list[tuple[int, int]] = []
        self.facts: Mapping[str, Any] = {}
        """Of the first part found by `open` that has any."""

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    @property
    def images(self) -> int:
        """How many images have rows in them."""
        return sum(images for images, _ in self._parts)

    @property
    def unreadable(self) -> int:
        """How many of those have an error."""
        return sum(unreadable for _, unreadable in self._parts)

    def open(self) -> dict[str, Any] | None:
        """Read what is there: the settings of an unfinished job; None if there is none.

        Raises:
            JobError: a file of the job is damaged or missing, or was written by a later release.
        """
        names = set(self.place.names())
        if HEAD not in names:
            return None
        head = self._read_json(HEAD)
        version, settings = head.get("format_version"), head.get("settings")
        if not isinstance(version, int) or not isinstance(settings, dict):
            raise self._damaged(HEAD)
        if version > FORMAT_VERSION:
            raise JobError(
                f"{self.place.name}: its unfinished job was written by a later release of regnety; upgrade to resume it"
            )
        # parts are numbered without gaps: a number that is missing below the last one was lost
        for number in range(sum(1 for name in names if _SIDECAR.fullmatch(name))):
            for name in (_sidecar(number), _rows(number, settings.get("row_format"))):
                if name not in names:
                    raise self._damaged(name)
            part = self.read(number)
            self._parts.append((len(part.names), part.unreadable))
            # of the first part that has any: one of unreadable images alone was answered by no engine
            self.facts = self.facts or part.facts
        return settings

    def begin(self, settings: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Begin a job, without parts yet; `about` is for people who look into the file."""
        self._began = True
        self._write_json(HEAD, {"format_version": FORMAT_VERSION, "settings": settings, "about": about})

    def append(self, part: Part, data: bytes) -> None:
        """Keep a part. Ctrl-C or a kill may come between any two steps of it."""
        self.place.write(_rows(self.count, self._row_format), data)  # without its sidecar it does not count yet
        table = {
            "images": len(part.names),
            "unreadable": part.unreadable,
            "facts": part.facts,
            # of each part: a job may be resumed from another folder
            "base": self.place.base(),
            "names": part.names,
        }
        self._write_json(_sidecar(self.count), table)
        self._parts.append((len(part.names), part.unreadable))

    def read(self, number: int) -> Part:
        """Read a part's names.

        Raises:
            JobError: its file is damaged.
        """
        table = self._read_json(_sidecar(number))
        names, unreadable, base = table.get("names"), table.get("unreadable"), table.get("base")
        facts = table.get("facts", {})
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._damaged(_sidecar(number))
        if (
            not isinstance(unreadable, int)
            or not isinstance(facts, dict)
            or not (base is None or isinstance(base, str))
        ):
            raise self._damaged(_sidecar(number))
        return Part(tuple(names), unreadable, base, facts)

    def done(self) -> DoneNames:
        """The images of all parts.

        Raises:
            JobError: a part's file is damaged.
        """
        hashes = array("Q")
        known = lru_cache(maxsize=2)(identities)  # nearly always all parts were written from one folder
        for number in range(self.count):
            part = self.read(number)
            identity = known(self.place.folder(part.base))
            hashes.extend(name_hash(identity(name)) for name in part.names)
        return DoneNames(hashes)

    def data(self) -> Iterator[bytes]:
        """The rows of all parts, in their order."""
        for number in range(self.count):
            yield self.place.read(_rows(number, self._row_format))

    def remove(self) -> None:
        """Remove all of it."""
        self.place.remove(HEAD)  # first: if a kill stops this halfway, what is left is no job
        self.place.remove_folder()

    def remove_if_empty(self) -> None:
        """Remove what was created for a job that has no part."""
        if not self.count and (self._began or HEAD not in self.place.names()):
            self.remove()

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            table = json.loads(self.place.read(name))
        except (ValueError, RecursionError):
            raise self._damaged(name) from None
        if not isinstance(table, dict):
            raise self._damaged(name)
        return table

    def _write_json(self, name: str, table: Mapping[str, Any]) -> None:
        # ASCII: the lone surrogates of names that are not UTF-8 are escapes in it, and come back as they were
        self.place.write(name, json.dumps(table).encode("ascii"))

    def _damaged(self, name: str) -> JobError:
        return JobError(
            f"{self.place.name}: its unfinished job cannot be resumed: {name} is damaged or missing; "
            f"remove {self.place.folder_name} to start over"
        )


def is_unfinished(place: Place) -> bool:
    """Whether an output has an unfinished job with at least one part."""
    names = place.names()
    return HEAD in names and any(map(_SIDECAR.fullmatch, names))


def refuse_unfinished(place: Place) -> None:
    """Check that an output has no unfinished job. One without a part has nothing to lose.

    Raises:
        JobError: it has; the message says how to resume it, and how to start over.
    """
    if is_unfinished(place):
        # no rows are read, so their format does not matter
        parts = Parts(place, "")
        parts.open()
        raise JobError(
            f"{place.name}: has an unfinished job of {counted(parts.images, 'image')}; "
            f"continue with --resume (resume=True), or remove {place.folder_name} to start over"
        )


def _rows(number: int, row_format: object) -> str:
    return f"{number:06d}.{row_format}"


def _sidecar(number: int) -> str:
    return f"{number:06d}.json"


def check_settings(stored: Mapping[str, Any], wanted: Mapping[str, Any], place: Place) -> None:
    """Check that a job is resumed with the settings that it was started with.

    Raises:
        JobError: one differs; the message names it.
    """
    # a setting that is missing counts as null: jobs of a release that did not have it are resumed
    for name in dict.fromkeys((*stored, *wanted)):
        if stored.get(name) != wanted.get(name):
            raise JobError(
                f"{place.name}: its unfinished job was started with {name} {_described(stored.get(name))}, now it is "
                f"{_described(wanted.get(name))}; use the same, or remove {place.folder_name} to start over"
            )


def _described(value: object, limit: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
