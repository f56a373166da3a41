"""`run_job`: images in, a file of their answers out, whatever happens in between."""

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from regnety.errors import JobError
from regnety.images.sources import ImageSource, source_name
from regnety.inference.jobs.done_names import DoneNames
from regnety.inference.jobs.finished import list_finished
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.parts import Part, Parts, check_settings, refuse_unfinished
from regnety.inference.jobs.places import Place, place_of
from regnety.inference.jobs.row_files import RowFile, row_file
from regnety.inference.jobs.rows import Rows
from regnety.text import kept, reason_of
from regnety.version import __version__

Record = TypeVar("Record")
PART_RECORDS = 4096
PART_SECONDS = 10.0
"""Where a part ends, whichever comes first: what a kill may lose, and what is held in memory."""


@dataclass(frozen=True, slots=True)
class JobSummary:
    """What a job came to."""

    images: int
    """Rows or groups of rows in the output, one for each image."""
    unreadable: int
    """How many of them have an error."""
    earlier: int
    """How many of them were answered before this run."""
    seconds: float
    """From the first image that this run asked for to the output in its place."""
    was_finished: bool = False
    """Whether the output was there already, with all that was asked for, so that this run had nothing to do."""


class JobInterrupted(KeyboardInterrupt):
    """Ctrl-C in a job; what was answered is kept.

    Args:
        images: how many have their rows in the job's folder.
    """

    def __init__(self, images: int) -> None:
        super().__init__(kept(images))
        self.images = images


def run_job(
    sources: Iterable[ImageSource],
    answer: Callable[[Iterator[ImageSource]], Iterator[Record]],
    rows: Rows[Record],
    output: str | Path | Place,
    *,
    row_format: str,
    settings: Mapping[str, Any],
    about: Mapping[str, Any] = MappingProxyType({}),
    resume: bool = False,
    facts: Callable[[], Mapping[str, Any]] = dict,
    on_earlier: Callable[[int, Mapping[str, Any]], None] = lambda count, facts: None,
    on_record: Callable[[Record], None] = lambda record: None,
    part_records: int = PART_RECORDS,
    part_seconds: float = PART_SECONDS,
) -> JobSummary:
    """Answer images and write their rows to a file, in parts that outlive an interruption, a kill and a full disk.

    The output is there once all is answered, and not before; until then parts stand in a folder beside it, of the
    output's name between `.` and `.job`. With `resume` an unfinished job is gone on with: what is answered is not
    asked again. Rows come in the order of the listing. Where the listing has changed since the job began, no row is
    lost and none is double: what was answered keeps its rows, also for files that are gone by now, and the files that
    have come are answered after those. A finished output is left as it is with `resume`.

    Which images are the same does not depend on how their folder is spelled (`identity.py`). A row has the name that
    was given when it was made.

    Args:
        sources: images that have names; each is asked for when `answer` asks, and none is held after that.
        answer: images in, one record for each in their order; closed where it is a generator.
        rows: how a record is written.
        output: a path, an address that fsspec reaches, or the place of one that is locked already.
        row_format: csv, jsonl or parquet.
        settings: JSON values; what all rows of the output have in common. A job that is gone on with has the same.
        about: JSON values that are kept beside the settings and may differ, like the model's name.
        resume: go on with an unfinished job, if there is one.
        facts: JSON values that are kept with each part, like the engine that answered it.
        on_earlier: called before the first image with the number of those that an earlier run has answered, and with
            the facts of its first part; what it raises ends the job before it begins.
        on_record: called with each record of this run.
        part_records: records after which a part ends.
        part_seconds: seconds after which a part ends.

    Raises:
        JobError: there is an unfinished job and `resume` is not said, or it has other settings; `resume` is said and
            the finished output lacks some of the images, or is another one; another process is at work on it; or the
            output cannot be written, where all parts but the open one are kept.
        JobInterrupted: Ctrl-C; every record is kept.
        MissingExtraError: the format or the address needs a package.
    """
    place = place_of(output) if isinstance(output, str | Path) else output
    settings = json.loads(json.dumps({"row_format": row_format, **settings}))
    about = {"regnety_version": __version__, **about}
    file = row_file(row_format, rows, {**about, **settings})
    with nullcontext() if place.is_locked else place.locked():
        parts = Parts(place, row_format)
        try:
            stored = parts.open()
            if stored is None and resume and place.is_finished():
                return _finished(place, file, settings, sources)
            done = _begin(parts, stored, settings, about, resume)
            on_earlier(len(done), parts.facts)
            started = time.monotonic()
            log = _Log(parts, file, rows, facts, part_records, part_seconds)
            with _kept(log), closing(_answers(sources, answer, rows, done)) as records:
                for record in records:
                    log.add(record)
                    on_record(record)
            with _reported(parts), place.output() as stream:
                file.join(parts.data(), stream)
            parts.remove()
        except KeyboardInterrupt:
            raise JobInterrupted(parts.images) from None
        finally:
            parts.remove_if_empty()
    return JobSummary(parts.images, parts.unreadable, len(done), time.monotonic() - started)


def _begin(
    parts: Parts, stored: Mapping[str, Any] | None, settings: Mapping[str, Any], about: Mapping[str, Any], resume: bool
) -> DoneNames:
    """Go on with the job that stands there, or begin one; the images that are done."""
    if stored is not None and parts.count:
        if not resume:
            refuse_unfinished(parts.place)
        check_settings(stored, settings, parts.place)
    else:
        parts.begin(settings, about)
    return DoneNames(parts.identities, parts.sizes)


def _finished(
    place: Place, file: RowFile[Any], settings: Mapping[str, Any], sources: Iterable[ImageSource]
) -> JobSummary:
    """What stands in a finished output, if that is what was asked for."""
    with place.finished() as stream:
        rows = list_finished(file, stream, place.name, settings)
    missing, first = rows.missing(_name(source) for source in sources)
    if missing:
        raise JobError(
            f"{place.name}: is finished, and {missing} of the images have no rows in it, {first} is the first; "
            "leave --resume away to make it anew"
        )
    return JobSummary(rows.images, rows.unreadable, rows.images, 0.0, was_finished=True)


def _answers(
    sources: Iterable[ImageSource],
    answer: Callable[[Iterator[ImageSource]], Iterator[Record]],
    rows: Rows[Record],
    done: DoneNames,
) -> Generator[Record]:
    """The records of what is not done. That each is its own image's is seen here, whoever gives them."""
    asked: deque[str] = deque()
    identity = identities()

    def waiting() -> Iterator[ImageSource]:
        for source in sources:
            name = _name(source)
            if not done.left or not done.take(identity(name)):
                asked.append(name)
                yield source

    records = answer(waiting())
    try:
        for record in records:
            if not asked or rows.filename(record) != asked.popleft():
                raise RuntimeError(f"the answers are out of order: {rows.filename(record)} came before its turn")
            yield record
        if asked:
            raise RuntimeError(f"{len(asked)} images have no answer, {asked[0]} is the first")
    finally:
        if isinstance(records, Generator):
            records.close()


def _name(source: ImageSource) -> str:
    name = source_name(source)
    if name is None:
        raise ValueError("a job's images need names, which say what is done")
    return name


@dataclass(slots=True)
class _OpenPart(Generic[Record]):
    number: int
    began: float
    records: list[Record] = field(default_factory=list)


class _Log(Generic[Record]):
    """Takes records and keeps them as parts. Ctrl-C may come between any two steps of it."""

    def __init__(
        self,
        parts: Parts,
        file: RowFile[Record],
        rows: Rows[Record],
        facts: Callable[[], Mapping[str, Any]],
        part_records: int,
        part_seconds: float,
    ) -> None:
        self._parts = parts
        self._file = file
        self._rows = rows
        self._facts = facts
        self._part_records = part_records
        self._part_seconds = part_seconds
        self._open: _OpenPart[Record] = _OpenPart(parts.count, time.monotonic())
        self._failed = False

    def add(self, record: Record) -> None:
        """Take a record; keep the part that it fills."""
        self._open.records.append(record)
        enough = len(self._open.records) >= self._part_records
        if enough or time.monotonic() - self._open.began >= self._part_seconds:
            self.keep()

    def keep(self) -> None:
        """Keep the open part, unless a part could not be kept before: the disk is full, or the store is gone."""
        part = self._open
        if part.number == self._parts.count and part.records and not self._failed:  # else it is kept already
            names = tuple(self._rows.filename(record) or "" for record in part.records)
            unreadable = sum(self._rows.error(record) is not None for record in part.records)
            try:
                with _reported(self._parts):
                    self._parts.append(Part(names, unreadable, facts=self._facts()), self._file.encode(part.records))
            except JobError:
                self._failed = True
                raise
        self._open = _OpenPart(self._parts.count, time.monotonic())


@contextmanager
def _kept(log: _Log[Any]) -> Iterator[None]:
    """Whatever ends the block, the open part is kept."""
    try:
        yield
    finally:
        log.keep()


@contextmanager
def _reported(parts: Parts) -> Iterator[None]:
    """What cannot be written is one line about the output, which says what is kept."""
    try:
        yield
    except (OSError, JobError) as error:
        name = parts.place.name
        reason = reason_of(error)
        rest = f"; {kept(parts.images)}, --resume goes on with them" if parts.images else ""
        raise JobError(f"{name}: {reason.removeprefix(f'{name}: ')}{rest}") from error
