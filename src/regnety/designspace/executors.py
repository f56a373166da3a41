"""Where trials are trained: one after the other in this process, or as tasks of a Ray cluster."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from regnety.designspace.halving import Work
from regnety.designspace.trials import Conditions, Outcome, Trial, TrialData, outcome_of
from regnety.errors import ClusterError
from regnety.storage.locks import locked
from regnety.text import one_line

LOOK_S = 0.5
"""Seconds between two looks at the cluster."""
TRIAL_FOLDER = "trials"
BEGUN_FILE = "begun"
"""In the folder of a trial while this process trains it: what is found there later did not come to its end."""


class Executor(Protocol):
    """Trains some trials at a time."""

    def slots(self) -> int:
        """How many it can train at a time, now."""
        ...

    def start(self, work: Work) -> None:
        """Begin with a trial."""
        ...

    def ended(self) -> list[Outcome]:
        """What has come to an end since the last call, possibly nothing; it waits a while for it."""
        ...


class ThisProcess:
    """Trains one trial at a time, here.

    Args:
        trials: of the population.
        data: their photographs.
        folder: of the population.
        conditions: how they are computed.
        after_epoch: called with a trial's number and each new row.
    """

    def __init__(
        self,
        trials: tuple[Trial, ...],
        data: TrialData,
        folder: Path,
        conditions: Conditions,
        *,
        after_epoch: Callable[[int, dict[str, Any]], None],
    ) -> None:
        self._trials, self._data, self._folder, self._conditions = trials, data, folder, conditions
        self._after_epoch = after_epoch
        self._waiting: list[Work] = []

    def slots(self) -> int:
        """One."""
        return 1

    def start(self, work: Work) -> None:
        """Let it be trained by `ended`."""
        self._waiting.append(work)

    def ended(self) -> list[Outcome]:
        """Train what was started."""
        works, self._waiting = self._waiting, []
        return [self._trained(work) for work in works]

    def _trained(self, work: Work) -> Outcome:
        place = folder_of(self._folder, work.trial)
        place.mkdir(parents=True, exist_ok=True)
        begun = place / BEGUN_FILE
        begun.touch()
        try:
            return outcome_of(
                self._trials[work.trial],
                self._data,
                until=work.until,
                folder=place,
                conditions=self._conditions,
                after_epoch=lambda row: self._after_epoch(work.trial, row),
            )
        finally:
            begun.unlink(missing_ok=True)


class RayTasks:
    """Trains as many trials at a time as a Ray cluster has room for; `connected` is around it.

    Args:
        trials: of the population.
        data: their photographs.
        folder: of the population, which all nodes see at the same path.
        conditions: how they are computed.
        most: trials at a time; None is as many as fit.
        gpus: graphics cards of a trial, also a share of one.

    Raises:
        ClusterError: the cluster has fewer cards than a trial is to have.
    """

    def __init__(
        self,
        trials: tuple[Trial, ...],
        data: TrialData,
        folder: Path,
        conditions: Conditions,
        *,
        most: int | None,
        gpus: float,
    ) -> None:
        import ray

        self._ray: Any = ray
        if (cards := self._ray.cluster_resources().get("GPU", 0)) < gpus:
            raise ClusterError(f"the Ray cluster has {cards:g} graphics cards, and a trial is to have {gpus:g}")
        self._trials, self._folder, self._conditions = trials, folder, conditions
        self._most, self._gpus = most, gpus
        self._data = self._ray.put(data)
        # no retries: each failure is counted in the journal
        task = self._ray.remote(num_cpus=conditions.threads, num_gpus=gpus, max_retries=0)
        self._task = task(_outcome_alone)
        self._running: dict[Any, tuple[Work, float]] = {}

    def slots(self) -> int:
        """As the cluster is now: nodes may come and go.

        Raises:
            ClusterError: none is left. One that was started here gets no other, and tasks would wait for ever.
        """
        resources = self._ray.cluster_resources()
        if not resources:
            raise ClusterError("Ray: its last node was lost; --resume continues")
        room = int(resources.get("CPU", 0) // self._conditions.threads)
        if self._gpus:
            room = min(room, int(resources.get("GPU", 0) / self._gpus))
        # one at least: a task waits until a node has come that has room for it
        return max(1, room if self._most is None else min(room, self._most))

    def start(self, work: Work) -> None:
        """Hand it to the cluster."""
        place = folder_of(self._folder, work.trial)
        task = self._task.remote(self._trials[work.trial], self._data, work.until, place, self._conditions)
        self._running[task] = (work, time.monotonic())

    def ended(self) -> list[Outcome]:
        """What has come back."""
        try:
            ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=LOOK_S)
        except Exception as error:  # Ray raises whatever its parts raise
            raise ClusterError(f"Ray: {one_line(error)}; --resume continues") from error
        return [self._outcome(task) for task in ready]

    def _outcome(self, task: Any) -> Outcome:
        work, started = self._running.pop(task)
        try:
            outcome: Outcome = self._ray.get(task)
            return outcome
        except self._ray.exceptions.RayError as error:
            message = f"the worker died: {one_line(str(error).partition(chr(10))[0])}"
            seconds = time.monotonic() - started
            return Outcome(trial=work.trial, rows=[], seconds=seconds, message=message, again=True)


def not_ended(population: Path) -> set[int]:
    """The trials that a process was training when it was killed, possibly by their own need for memory."""
    return {int(begun.parent.name) for begun in (population / TRIAL_FOLDER).glob(f"*/{BEGUN_FILE}")}


def folder_of(population: Path, trial: int) -> Path:
    """Where a trial that has paused keeps its checkpoint."""
    return population / TRIAL_FOLDER / f"{trial:05d}"


def _outcome_alone(trial: Trial, data: TrialData, until: int, folder: Path, conditions: Conditions) -> Outcome:
    # whoever was training it when the driver was killed may not have ended yet
    with locked(folder / "trial"):
        return outcome_of(trial, data, until=until, folder=folder, conditions=conditions)
