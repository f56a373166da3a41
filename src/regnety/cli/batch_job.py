"""Around a batch job: progress, what could not be read, and how it ended; the same for every command that has one."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from regnety.cli.interruption import terminated_as
from regnety.cli.output.notices import EngineNotice, say
from regnety.inference.jobs.job import JobInterrupted, JobSummary, run_job
from regnety.inference.jobs.rows import Rows
from regnety.inference.jobs.settings import Answering, engine_facts, go_on_with
from regnety.progress import Progress
from regnety.text import counted, kept, printable

if TYPE_CHECKING:
    from regnety.cli.options.images import ImageList
    from regnety.images.sources import ImageSource
    from regnety.inference.jobs.places import Place

Record = TypeVar("Record")
LISTED_ERRORS = 20
"""Images that could not be read and are named on stderr; the output names all of them."""


def run_batch_job(
    model: Answering,
    sources: "ImageList",
    answer: "Callable[[Iterator[ImageSource], int], Iterator[Record]]",
    rows: Rows[Record],
    output: "Place",
    *,
    row_format: str,
    settings: Mapping[str, Any],
    about: Mapping[str, Any],
    resume: bool,
    quiet: bool,
    description: str,
) -> JobSummary:
    """Run a job of a command; what is not said here is as for `run_job`.

    Args:
        model: what answers; its engine is told, kept with the rows, and stays the same where a job is gone on with.
        output: its place, claimed already.
        answer: images, and how many there are, in; one record for each in their order.
        quiet: no progress and no summary; errors are told.
        description: what is being done, for the progress.
    """
    answered, failed, remaining, began = 0, 0, len(sources), time.monotonic()
    notice = EngineNotice(model, quiet=quiet)
    with Progress(description, total=len(sources), quiet=quiet) as progress:

        def see(record: Record) -> None:
            nonlocal answered, failed
            error = rows.error(record)
            if error is not None:
                failed += 1
                if failed <= LISTED_ERRORS:
                    print(f"regnety: {printable(error)}", file=sys.stderr)
            notice.say(answered=error is None)
            answered += 1
            progress.advance(images_per_s=answered / (time.monotonic() - began))

        def skip(count: int, facts: Mapping[str, Any]) -> None:
            nonlocal remaining
            remaining -= count
            go_on_with(model, facts, output.name)
            progress.advance(count)

        try:
            with terminated_as(KeyboardInterrupt):  # a scheduler asks first: what is answered is kept then too
                summary = run_job(
                    sources,
                    lambda images: answer(images, remaining),
                    rows,
                    output,
                    row_format=row_format,
                    settings=settings,
                    about=about,
                    resume=resume,
                    facts=lambda: engine_facts(model),
                    on_earlier=skip,
                    on_record=see,
                )
        except JobInterrupted as interruption:
            if interruption.images:
                say(f"{output.name}: interrupted; {kept(interruption.images)}, --resume goes on with them")
            raise
    if failed > LISTED_ERRORS:
        say(f"{counted(failed - LISTED_ERRORS, 'more image', 'more images')} could not be read; {output.name} says why")
    if not quiet:
        say(_told(summary, output.name))
    return summary


def _told(summary: JobSummary, output: str) -> str:
    if summary.was_finished:
        return f"{output}: is finished already, {counted(summary.images, 'image')}, {summary.unreadable} unreadable"
    earlier = f" ({summary.earlier} of them before)" if summary.earlier else ""
    speed = (summary.images - summary.earlier) / max(summary.seconds, 1e-9)
    return (
        f"{output}: {counted(summary.images, 'image')}{earlier}, {summary.unreadable} unreadable, {speed:.1f} images/s"
    )
