"""What a batch job says on stderr: progress, what could not be read, how it ended; the same in every command."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from regnety.cli.main import terminated_as
from regnety.cli.output.notices import EngineNotice
from regnety.inference.jobs.job import JobInterrupted, JobSummary
from regnety.notices import say
from regnety.progress import Progress
from regnety.text import counted, kept, printable

if TYPE_CHECKING:
    from regnety.inference.jobs.answering import Answering
    from regnety.inference.jobs.rows import Answer

LISTED_ERRORS = 20
"""Unreadable images that are named on stderr; the output names all of them."""


def run_batch_job(
    write: Callable[..., JobSummary], model: "Answering", output: str, *, description: str, total: int, quiet: bool
) -> bool:
    """Run the job of a command.

    Args:
        write: `write_predictions` or `write_embeddings`, with all arguments but `on_start` and `on_record`.
        model: what answers; its engine is named after the first answer.
        output: the name of what is written.
        description: what is being done, for the progress.
        total: number of images.
        quiet: no progress and no summary; errors are still listed.

    Returns:
        Whether any image had no answer.
    """
    answered, failed, began = 0, 0, time.monotonic()
    notice = EngineNotice(model, quiet=quiet)
    with Progress(description, total=total, quiet=quiet) as progress:

        def see(answer: "Answer") -> None:
            nonlocal answered, failed
            if answer.error is not None:
                failed += 1
                if failed <= LISTED_ERRORS:  # a folder of a million broken files must not flood the log
                    print(f"regnety: {printable(answer.error)}", file=sys.stderr)
            notice.say(answered=answer.error is None)
            answered += 1
            progress.advance(images_per_s=answered / (time.monotonic() - began))

        try:
            # schedulers send SIGTERM some seconds before they kill: like Ctrl-C it keeps every answer
            with terminated_as(KeyboardInterrupt):
                summary = write(on_start=progress.advance, on_record=see)
        except JobInterrupted as interruption:
            if interruption.images:
                say(f"{output}: interrupted; {kept(interruption.images)}, continue with --resume")
            raise
    if failed > LISTED_ERRORS:
        say(f"{counted(failed - LISTED_ERRORS, 'more image', 'more images')} could not be read; {output} says why")
    if not quiet:
        say(_told(summary, output))
    return summary.unreadable > 0 and not summary.was_finished


def _told(summary: JobSummary, output: str) -> str:
    if summary.was_finished:
        return f"{output}: is finished already, {counted(summary.images, 'image')}, {summary.unreadable} unreadable"
    earlier = f" ({summary.earlier} of them before)" if summary.earlier else ""
    speed = (summary.images - summary.earlier) / max(summary.seconds, 1e-9)
    return (
        f"{output}: {counted(summary.images, 'image')}{earlier}, {summary.unreadable} unreadable, {speed:.1f} images/s"
    )
