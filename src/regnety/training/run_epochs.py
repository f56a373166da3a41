"""The epochs of a run: the leader also writes the run's files and says how it goes, the other workers train alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regnety.errors import ImageError
from regnety.notices import say
from regnety.training.distribution.workers import Workers
from regnety.training.run_bundle import RunBundle, RunResult, WritesReport
from regnety.training.run_folder import write_history
from regnety.training.run_notices import say_epoch
from regnety.training.session import Session
from regnety.training.watching import Watcher


def lead(
    run: Path,
    session: Session,
    bundle: RunBundle,
    *,
    workers: Workers,
    watchers: Sequence[Watcher],
    report: WritesReport | None,
    keep: int,
    quiet: bool,
) -> RunResult:
    """Train the remaining epochs, each with its checkpoint, its rows and its line; then finish the bundle.

    Args:
        run: the run's folder.
        session: of this worker, the first.
        bundle: of the run.
        workers: who train it together.
        watchers: who are told of every epoch.
        report: writes the report of the finished bundle.
        keep: number of checkpoints to keep.
        quiet: say nothing on stderr.
    """
    progression = session.progression
    if progression.epochs_done:
        # A kill right after a checkpoint leaves the history a row short and the bundle an epoch behind.
        write_history(run, progression.history)
        bundle.write()
    while not session.has_ended:
        row = _advance(session)
        session.save(run, bundle.metadata(), keep=keep)  # first: an epoch counts once its checkpoint is there
        write_history(run, progression.history)
        if session.found_better:
            bundle.write()
        for watcher in watchers:
            watcher.update(progression.history)
        say_epoch(row, session.recipe.epochs, quiet=quiet)
    for watcher in watchers:
        watcher.update(progression.history)  # a kill right before the last line leaves it behind
        watcher.finish()
    return workers.led(lambda: _finish(bundle, report, quiet=quiet))


def follow(session: Session, workers: Workers) -> RunResult:
    """Train the remaining epochs with the leader, whose files are those of the run; the result is the leader's."""
    while not session.has_ended:
        _advance(session)
    return workers.led(_nothing)


def _nothing() -> RunResult:
    raise AssertionError("the leader finishes the run")


def _finish(bundle: RunBundle, report: WritesReport | None, *, quiet: bool) -> RunResult:
    result, errors = bundle.finish(report, quiet=quiet)
    for error in errors:
        say(error, quiet=quiet)
    return result


def _advance(session: Session) -> dict[str, Any]:
    try:
        return session.advance()
    except ImageError as error:
        raise ImageError(
            f"{error}; the run began with it: put it back, then continue with --resume (resume=True)"
        ) from error
