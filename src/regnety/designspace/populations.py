"""A population as a value: every trial with its design, what it cost and what came of it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from regnety.architecture.counting import Complexity
from regnety.architecture.description import AnyDesign
from regnety.designspace.comparisons import DesignErrors, Edf, Estimate, Numbers, Values, best_of, edf
from regnety.designspace.design_numbers import design_numbers, shared_names
from regnety.designspace.halving import Progress, replayed
from regnety.designspace.journal import read_journal
from regnety.designspace.plan import Plan, read_plan
from regnety.designspace.running import JOURNAL_FILE
from regnety.designspace.trials import Trial
from regnety.errors import JobError
from regnety.extras import import_extra

if TYPE_CHECKING:
    import pyarrow

Status: TypeAlias = Literal["done", "stopped", "failed", "open"]
"""`done`: all epochs. `stopped`: others of its rung were better. `failed`: it is not tried again. `open`: not yet."""
COUNTS = ("num_params", "macs", "activations")
OWN_FIELDS = ("epochs",)
"""Fields of a recipe that have the name of a column of their own in `rows`: varied, they are `recipe.epochs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """A trial and what is known of it."""

    trial: Trial
    complexity: Complexity
    """Of its network, at its image size and number of classes."""
    status: Status
    rows: tuple[dict[str, Any], ...]
    """One for each epoch, as in metrics.jsonl of a run."""
    attempts: int
    """Times that it failed."""
    message: str | None
    """Why it failed the last time."""
    seconds: float
    """Spent on it, failures included."""

    @property
    def design(self) -> AnyDesign:
        """What was trained."""
        return self.trial.design

    @property
    def errors(self) -> Values:
        """Top-1 error in percent after each epoch, float64 [epochs]."""
        return np.array([100.0 - row["val_top1"] for row in self.rows], dtype=np.float64)

    @property
    def error(self) -> float:
        """Top-1 error in percent after its last epoch; NaN before the first."""
        return float(self.errors[-1]) if self.rows else float("nan")


class Population:
    """The trials of a population, in their order.

        population = Population.load("runs/population")
        population.errors          # of the trials that were trained in full
        population.column("macs")  # of the same

    Args:
        name: what reports call it.
        plan: what was trained.
        results: of its trials, or of some of them.
        folder: where it was read from.
    """

    def __init__(self, name: str, plan: Plan, results: Sequence[TrialResult], *, folder: Path | None = None) -> None:
        self.name = name
        self.plan = plan
        self.folder = folder
        self._results = tuple(results)

    @classmethod
    def load(cls, folder: str | Path) -> "Population":
        """Read what `regnety design run` has written so far, also while it runs.

        Raises:
            JobError: the folder holds no population, or it is damaged.
        """
        place = Path(folder)
        plan = read_plan(place)
        try:
            progress = replayed(read_journal(place / JOURNAL_FILE), len(plan.trials))
        except (LookupError, TypeError) as error:
            raise JobError(f"{place / JOURNAL_FILE}: has other trials than the population: {error!r}") from error
        survivors = set(plan.halving.survivors(progress)[-1])
        results = [
            _result(trial, counts, plan, progress[trial.number], goes_on=trial.number in survivors)
            for trial, counts in zip(plan.trials, plan.complexities, strict=True)
        ]
        return cls(place.resolve().name, plan, results, folder=place.resolve())

    def at_rung(self, rung: int) -> "Population":
        """The population as it was when its trials had ended a rung, from 0: those that reached it are `done`."""
        results = []
        for result in self:
            epochs = self.plan.halving.rungs(result.trial.number)[rung]
            if len(result.rows) >= epochs:
                result = dataclasses.replace(result, rows=result.rows[:epochs], status="done")
            results.append(result)
        return Population(self.name, self.plan, results, folder=self.folder)

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[TrialResult]:
        return iter(self._results)

    def __getitem__(self, which: Any) -> Any:
        """A result, or for a slice a population of some."""
        found = self._results[which]
        return Population(self.name, self.plan, found, folder=self.folder) if isinstance(which, slice) else found

    @cached_property
    def finished(self) -> tuple[TrialResult, ...]:
        """Those that were trained in full: their errors can be compared."""
        return tuple(result for result in self if result.status == "done")

    @property
    def errors(self) -> Values:
        """Top-1 error in percent of the finished trials after their last epoch, float64 [finished]."""
        return np.array([result.error for result in self.finished], dtype=np.float64)

    @property
    def design_errors(self) -> DesignErrors:
        """The same errors, together by their designs: those with other seeds or values say nothing of other designs."""
        return DesignErrors.of(self.errors, self._designs)

    @property
    def _designs(self) -> Numbers:
        return np.array([result.trial.design_number for result in self.finished], dtype=np.int64)

    def error_edf(self) -> Edf:
        """The distribution of the errors: the share of finished trials with an error below e.

        Raises:
            JobError: no trial is finished.
        """
        return edf(self._known_errors(), designs=len(np.unique(self._designs)))

    def best(self, count: int, *, confidence: float = 0.95) -> Estimate:
        """The least error, in percent, among `count` trials drawn at random, with replacement, from the finished ones.

        Returns:
            Its mean, and the interval that it is in with this confidence.

        Raises:
            JobError: no trial is finished, or `count` is below 1.
        """
        if count < 1:
            raise JobError(f"the best of {count} trials is not known; count must be at least 1")
        return best_of(self._known_errors(), count, confidence=confidence)

    def _known_errors(self) -> Values:
        if not self.finished:
            raise JobError(f"{self.name}: no trial has been trained in full so far")
        return self.errors

    def counts(self) -> Mapping[Status, int]:
        """How many trials are done, stopped, failed and open."""
        names: tuple[Status, ...] = ("done", "stopped", "failed", "open")
        return {name: sum(result.status == name for result in self) for name in names}

    def columns(self) -> tuple[str, ...]:
        """Names of numbers that every trial has: the design's, what it costs, and what is varied.

        Of designs that are no linear ones the numbers of each stage, where all have as many, and of all stages where
        they share one.
        """
        numbers = (column for column, field in self._varied.items() if self._is_number(field))
        return (*self._of_designs, *COUNTS, *numbers)

    @cached_property
    def _of_designs(self) -> tuple[str, ...]:
        return shared_names(list(dict.fromkeys(result.design for result in self)))

    @cached_property
    def _varied(self) -> dict[str, str]:
        """The fields that are varied, by the names of their columns."""
        fields = self._results[0].trial.varied if self._results else {}
        return {f"recipe.{field}" if field in OWN_FIELDS else field: field for field in fields}

    def _is_number(self, field: str) -> bool:
        """Whether all trials have a number in a field that is varied, or nothing."""
        values = [result.trial.varied[field] for result in self]
        return all(value is None or isinstance(value, int | float) for value in values) and any(
            value is not None for value in values
        )

    def column(self, name: str) -> Values:
        """A number of each finished trial, float64 [finished], NaN where it has none; names as in `columns`.

        Raises:
            KeyError: there is no such column.
        """
        if name not in self.columns():
            raise KeyError(f"a population has no column {name!r}; it has {', '.join(self.columns())}")
        return np.array([self.number(result, name) for result in self.finished], dtype=np.float64)

    def number(self, result: TrialResult, name: str) -> float:
        """A number of one trial, NaN where it has none; names as in `columns`."""
        value = self._value(result, name)
        return float("nan") if value is None else float(value)

    def _value(self, result: TrialResult, name: str) -> float | int | None:
        if name in COUNTS:
            return int(getattr(result.complexity, name))
        if name in self._varied:
            value: float | int | None = result.trial.varied[self._varied[name]]
            return value
        return design_numbers(result.design)[name]

    def by_design(self) -> dict[tuple[int, int], list[TrialResult]]:
        """Finished trials of the same design and values with other seeds: the noise of training."""
        found: dict[tuple[int, int], list[TrialResult]] = {}
        for result in self.finished:
            draw = result.trial.number // self.plan.repeat
            found.setdefault((result.trial.design_number, draw), []).append(result)
        return found

    def to_arrow(self) -> "pyarrow.Table":
        """An Arrow table with a row for each trial, whatever its status; it can be made a data frame.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        arrow = import_extra("pyarrow", feature="a table of trials", extra="table")
        return arrow.Table.from_pylist(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each trial as plain values; an error that is not known is None."""
        return [
            {
                "trial": result.trial.number,
                "design": result.trial.design_number,
                "seed": result.trial.recipe.seed,
                "status": result.status,
                "error": result.error if result.rows else None,
                "epochs": len(result.rows),
                "errors": result.errors.tolist(),
                **{name: self._value(result, name) for name in (*self._of_designs, *COUNTS)},
                "stage_widths": [stage.width for stage in result.design.fitted_stages()],
                "stage_depths": [stage.depth for stage in result.design.fitted_stages()],
                **{name: result.trial.varied[field] for name, field in self._varied.items()},
                "seconds": result.seconds,
                "attempts": result.attempts,
                "message": result.message,
            }
            for result in self
        ]


def _result(trial: Trial, counts: Complexity, plan: Plan, progress: Progress, *, goes_on: bool) -> TrialResult:
    status: Status = "open"
    if plan.halving.is_finished(trial.number, progress):
        status = "done"
    elif progress.gave_up:
        status = "failed"
    elif not goes_on:
        status = "stopped"
    return TrialResult(
        trial=trial,
        complexity=counts,
        status=status,
        rows=tuple(progress.rows),
        attempts=progress.attempts,
        message=progress.message,
        seconds=progress.seconds,
    )
