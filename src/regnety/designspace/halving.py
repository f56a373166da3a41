"""Which trials train how far next, from the results alone: all of them, or the best share of each rung.

Successive halving after Karnin et al. (2013), with a share of one's own. A rung is decided when all of its trials have
a result, so that the same results give the same survivors in whatever order they came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from regnety.designspace.journal import Record
from regnety.errors import RecipeError

MOST_ATTEMPTS = 3
"""A trial that fails is tried again at most twice."""
RUNGS = 3


@dataclass(slots=True)
class Progress:
    """What the journal says of a trial."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """One for each epoch, as in metrics.jsonl of a run."""
    attempts: int = 0
    """Times that it failed."""
    message: str | None = None
    """Why it failed the last time."""
    gave_up: bool = False
    """Whether it is not tried again."""
    seconds: float = 0.0
    """Spent on it, failures included."""

    @property
    def epochs(self) -> int:
        """Epochs that it has trained."""
        return len(self.rows)

    def error_after(self, epochs: int) -> float:
        """Top-1 error in percent after so many epochs."""
        return 100.0 - float(self.rows[epochs - 1]["val_top1"])

    def add(self, record: Record) -> None:
        """Take in a record of the journal about this trial."""
        self.seconds += record["seconds"]
        if record["message"] is None:
            # a record says all from its first row on: one that came twice changes nothing
            self.rows[record["first"] :] = record["rows"]
        else:
            self.attempts += 1
            self.message = record["message"]
            self.gave_up = not record["again"] or self.attempts >= MOST_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Work:
    """A trial, and the epochs up to which it is trained next."""

    trial: int
    until: int


def replayed(records: Sequence[Record], count: int) -> list[Progress]:
    """The progress of trials 0 to count - 1 by the records of a journal."""
    found = [Progress() for _ in range(count)]
    for record in records:
        found[record["trial"]].add(record)
    return found


def read_share(text: str) -> Fraction:
    """`1/3` or `0.25`, the share of a rung that goes on.

    Raises:
        RecipeError: it is no share.
    """
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share < 1:
        raise RecipeError(f"--keep-best takes a share between 0 and 1, as 1/3, got {text!r}")
    return share


class Halving:
    """Decides what is trained next.

    Args:
        epochs: of each trial, trained in full.
        keep_best: the share of a rung that goes on; None trains all trials in full.
    """

    def __init__(self, epochs: Sequence[int], keep_best: Fraction | None) -> None:
        self._epochs = epochs
        self._keep_best = keep_best

    def rungs(self, trial: int) -> tuple[int, ...]:
        """The epochs of a trial at the end of each rung: with a third, a ninth, a third and all of them."""
        epochs = self._epochs[trial]
        if self._keep_best is None:
            return (epochs,)
        return tuple(max(1, round(epochs * self._keep_best**power)) for power in reversed(range(RUNGS)))

    def survivors(self, progress: Sequence[Progress]) -> list[list[int]]:
        """The trials of each rung that is known so far, the first rung being all of them."""
        rungs = [list(range(len(self._epochs)))]
        for rung in range(1, RUNGS if self._keep_best is not None else 1):
            before = rungs[-1]
            if not all(self._is_decided(trial, rung - 1, progress[trial]) for trial in before):
                break
            reached = [trial for trial in before if progress[trial].epochs >= self.rungs(trial)[rung - 1]]

            def rank(trial: int, rung: int = rung) -> tuple[float, int]:
                return progress[trial].error_after(self.rungs(trial)[rung - 1]), trial

            assert self._keep_best is not None
            rungs.append(sorted(sorted(reached, key=rank)[: math.ceil(len(before) * self._keep_best)]))
        return rungs

    def due(self, progress: Sequence[Progress]) -> list[Work]:
        """What may be trained now, in the order of the trials."""
        rungs = self.survivors(progress)
        last = len(rungs) - 1
        return [
            Work(trial, self.rungs(trial)[last])
            for trial in rungs[last]
            if not self._is_decided(trial, last, progress[trial])
        ]

    def is_finished(self, trial: int, progress: Progress) -> bool:
        """Whether a trial has been trained in full."""
        return progress.epochs >= self._epochs[trial]

    def remaining_epochs(self, progress: Sequence[Progress]) -> float:
        """Epochs that are still to be trained, of all trials; those of survivors not known yet are a mean."""
        rungs = self.survivors(progress)
        last = len(rungs) - 1
        epochs: float = sum(work.until - min(progress[work.trial].epochs, work.until) for work in self.due(progress))
        size: float = len(rungs[last])
        mean = sum(self._epochs) / max(1, len(self._epochs))
        for power in reversed(range(RUNGS - 1 - last)) if self._keep_best is not None else ():
            size = math.ceil(size * self._keep_best)  # type: ignore[operator]
            epochs += size * mean * float(self._keep_best**power - self._keep_best ** (power + 1))  # type: ignore[operator]
        return epochs

    def _is_decided(self, trial: int, rung: int, progress: Progress) -> bool:
        return progress.gave_up or progress.epochs >= self.rungs(trial)[rung]
