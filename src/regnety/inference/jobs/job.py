"""`run_job`: images in, a file of their answers out, whatever happens in between."""

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from regnety.errors import JobError
from regnety.images.sources import ImageSource, is_single_image, source_name
from regnety.inference.jobs.answering import Answering, engine_facts, keep_engine
from regnety.inference.jobs.done_names import DoneNames
from regnety.inference.jobs.finished import START_OVER, FinishedRows
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.parts import Part, Parts, check_settings, refuse_unfinished
from regnety.inference.jobs.places import Place, place_of
from regnety.inference.jobs.row_files import RowFile, row_file
from regnety.inference.jobs.rows import Answer, Rows
from regnety.text import counted, kept, reason_of
from regnety.version import __version__

Record = TypeVar("Record", bound=Answer)
# A part ends after so many records or seconds, whichever comes first. It bounds what a kill may lose, and the memory.
PART_RECORDS = 4096
PART_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[Record]):
    """What a job answers and writes: the same in each of its runs."""

    answer: Callable[[Iterator[ImageSource], int | None], Iterator[Record]]
    """Images, and how many where that is known; one record for each, in their order. A generator is closed when the
    job ends."""
    rows: Rows[Record]
    """How a record is written."""
    row_format: str
    """csv, jsonl or parquet."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that all rows have in common. A job that is resumed must have the same."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that are stored beside the settings and may differ, like the model's name."""
    model: Answering | None = None
    """What answers, if its engine must stay the same when the job is resumed."""

    def facts(self) -> dict[str, Any]:
        """What is stored with a part."""
        return {} if self.model is None else engine_facts(self.model)


@dataclass(frozen=True, slots=True)
class JobSummary:
    """The result of a job.

    Args:
        images: number of images that have rows in the output.
        unreadable: how many of them have an error.
        earlier: how many of them were answered before this run.
        seconds: from the first image that this run asked for to the output in its place.
        was_finished: whether the output was complete already, so that this run had nothing to do.
    """

    images: int
    unreadable: int
    earlier: int
    seconds: float
    was_finished: bool = False


class JobInterrupted(KeyboardInterrupt):
    """Ctrl-C in a job; what was answered is kept.

    Args:
        images: how many have their rows in the job's folder.
    """

    def __init__(self, images: int) -> None:
        super().__init__(kept(images))
        self.images = images


def run_job(
    job: Job[Record],
    sources: Iterable[ImageSource] | ImageSource,
    output: str | Path | Place,
    *,
    resume: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> JobSummary:
    """Answer images and write their rows to a file, in parts that survive an interruption, a kill and a full disk.

    The output appears once all images are answered, and not before; until then its parts stand in a folder beside it,
    named like the output between `.` and `.job`. With `resume` an unfinished job continues: images that have rows are
    skipped. Rows come in the order of the listing. If the listing has changed since the job began, no row is lost and
    none is doubled: what was answered keeps its rows, even if the file is gone by now, and new files are answered after
    those. A finished output is left as it is with `resume`.

    Which images are the same does not depend on how their folder is spelled (`identity.py`). A row has the name that
    was given when it was written.

    Args:
        job: what is asked, and how it is written.
        sources: images that have names; each is taken when `job.answer` asks for it, and none is held after that.
        output: a path, an address that fsspec reaches, or the place of one that is locked already.
        resume: continue an unfinished job, if there is one.
        on_start: called before the first image with the number of those that an earlier run has answered; what it
            raises ends the job before it begins.
        on_record: called with each record of this run.

    Raises:
        JobError: there is an unfinished job and `resume` is not set, or it has other settings; `resume` is set and
            the finished output lacks some of the images, or is another one; another process is writing it; or the
            output cannot be written, where all parts but the open one are kept.
        JobInterrupted: Ctrl-C; every record is kept.
        MissingExtraError: the format or the address needs a package.
    """
    # a text is iterable too: its letters would be taken for paths
    images: Iterable[ImageSource] = [sources] if is_single_image(sources) else sources  # type: ignore[list-item, assignment]
    # A command claims its output before it loads a model, and gives the place, locked already.
    place = place_of(output) if isinstance(output, str | Path) else output
    settings = json.loads(json.dumps({"row_format": job.row_format, **job.settings}))  # a tuple comes back as a list
    about = {"regnety_version": __version__, **job.about}
    file = row_file(job.row_format, job.rows, {**about, **settings})
    with nullcontext() if place.is_locked else place.locked():
        parts = Parts(place, job.row_format)
        try:
            stored = parts.open()
            if stored is None and resume and place.is_finished():
                return _finished(place, file, settings, images)
            _begin(parts, stored, settings, about, resume)
            if job.model is not None:
                # before the first image: an engine that is missing here must cost no answer
                keep_engine(job.model, parts.facts, place.name)
            earlier = parts.images
            if on_start is not None:
                on_start(earlier)
            # only says whether it pays to look for the fastest way to run: a listing that has changed does no harm
            count = len(images) - earlier if isinstance(images, Sized) else None
            started = time.monotonic()
            log = _Log(parts, file, job)
            # closing comes first: no thread of the model runs on while the last part is written
            with _kept(log), closing(_answers(job, images, parts.done(), count)) as records:
                for record in records:
                    log.add(record)
                    if on_record is not None:
                        on_record(record)
            # Only now, in one go: a reader never sees an output with some of the rows.
            with _reported(parts), place.output() as stream:
                file.join(parts.data(), stream)
            parts.remove()  # a kill before this leaves parts and output: --resume then joins the parts once more
        except KeyboardInterrupt:
            raise JobInterrupted(parts.images) from None
        finally:
            # a wrong model or a missing package must not leave an unfinished job behind
            parts.remove_if_empty()
    return JobSummary(parts.images, parts.unreadable, earlier, time.monotonic() - started)


def _begin(
    parts: Parts, stored: Mapping[str, Any] | None, settings: Mapping[str, Any], about: Mapping[str, Any], resume: bool
) -> None:
    """Continue the job that stands there, or begin one. A job without a part has nothing to lose."""
    if stored is None or not parts.count:
        parts.begin(settings, about)
        return
    if not resume:
        refuse_unfinished(parts.place)
    check_settings(stored, settings, parts.place)


def _finished(
    place: Place, file: RowFile[Any], settings: Mapping[str, Any], sources: Iterable[ImageSource]
) -> JobSummary:
    """The summary of a finished output, if it has all that was asked for."""
    with place.finished() as stream:
        rows = FinishedRows(file, stream, place.name, settings)
    missing = rows.missing(_name(source) for source in sources)
    first = next(missing, None)
    if first is not None:
        count = 1 + sum(1 for _ in missing)  # counted, not held: there may be millions
        images = counted(count, "image has", "images have")
        raise JobError(f"{place.name}: is finished, but {images} no rows in it, first {first}; {START_OVER}")
    return JobSummary(rows.images, rows.unreadable, rows.images, 0.0, was_finished=True)


def _answers(job: Job[Record], sources: Iterable[ImageSource], done: DoneNames, count: int | None) -> Generator[Record]:
    """The records of the images that are not done, each compared with the image that was asked for."""
    asked: deque[str] = deque()
    identity = identities()

    def waiting() -> Iterator[ImageSource]:
        for source in sources:
            name = _name(source)
            if not done.left or not done.take(identity(name)):  # once all are found, no name is resolved any more
                asked.append(name)
                yield source

    records = job.answer(waiting(), count)
    try:
        for record in records:
            # no engine, thread or cluster may give an image the answer of its neighbour
            if not asked or record.filename != asked.popleft():
                raise RuntimeError(f"the answers are out of order: {record.filename} came before its turn")
            yield record
        if asked:
            raise RuntimeError(f"{len(asked)} images have no answer, {asked[0]} is the first")
    finally:
        # else its threads would read on until the garbage collector finds it
        if isinstance(records, Generator):
            records.close()


def _name(source: ImageSource) -> str:
    name = source_name(source)
    if name is None:
        raise ValueError(
            "images of a job need names, by which it knows which are done: paths, addresses or NamedImage, "
            f"got {type(source).__name__}"
        )
    return name


@dataclass(slots=True)
class _OpenPart(Generic[Record]):
    number: int
    began: float
    records: list[Record] = field(default_factory=list)


class _Log(Generic[Record]):
    """Takes records and keeps them as parts. Ctrl-C may come between any two steps of it."""

    def __init__(self, parts: Parts, file: RowFile[Record], job: Job[Record]) -> None:
        self._parts = parts
        self._file = file
        self._job = job
        self._open: _OpenPart[Record] = _OpenPart(parts.count, time.monotonic())
        self._failed = False

    def add(self, record: Record) -> None:
        """Take a record; keep the part that it fills."""
        self._open.records.append(record)
        enough = len(self._open.records) >= PART_RECORDS
        if enough or time.monotonic() - self._open.began >= PART_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Keep the open part, unless a part could not be kept before: the disk is full, or the store is gone."""
        part = self._open
        # Ctrl-C between `append` and the new `_OpenPart` leaves a part open that is kept already: its number says so
        if part.number == self._parts.count and part.records and not self._failed:
            names = tuple(record.filename or "" for record in part.records)
            unreadable = sum(record.error is not None for record in part.records)
            try:
                with _reported(self._parts):
                    data = self._file.encode(part.records)
                    self._parts.append(Part(names, unreadable, facts=self._job.facts()), data)
            except JobError:
                # `_kept` calls this once more on the way out: a full disk would be tried, and reported, twice
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
        rest = f"; {kept(parts.images)}, continue with --resume (resume=True)" if parts.images else ""
        # a place's own errors begin with its name already
        raise JobError(f"{name}: {reason.removeprefix(f'{name}: ')}{rest}") from error
