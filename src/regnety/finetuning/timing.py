"""Where the time of a run goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class StageTimes:
    """Seconds by stage, in the order of the work, and since the command began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done within as this stage's."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    @property
    def total(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._began


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationTime:
    """What an evaluation takes here."""

    start_s: float
    """Before its first photograph: the graph is built and compiled."""
    photograph_s: float

    def seconds(self, *counts: int) -> float:
        """Of evaluations of so many photographs each."""
        return sum(self.start_s + count * self.photograph_s for count in counts if count)
