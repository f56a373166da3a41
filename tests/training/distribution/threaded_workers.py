"""Workers as threads of one process: what they add up meets at a barrier, in place of a network."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from torch import Tensor

from regnety.training.distribution.workers import Value, Workers

Result = TypeVar("Result")


class ThreadedWorkers(Workers):
    """One of them; `meeting` is shared by all."""

    def __init__(self, rank: int, count: int, meeting: "_Meeting") -> None:
        super().__init__(rank, count, count)
        object.__setattr__(self, "meeting", meeting)

    def sum(self, values: Tensor) -> Tensor:
        meeting: _Meeting = self.meeting  # type: ignore[attr-defined]
        meeting.brought[self.rank] = values.detach().clone()
        meeting.barrier.wait()
        total = sum(meeting.brought[rank] for rank in range(self.count))
        meeting.barrier.wait()  # nobody brings the next before all have read this one
        values.copy_(total)
        return values

    def from_leader(self, value: Value) -> Value:
        meeting: _Meeting = self.meeting  # type: ignore[attr-defined]
        meeting.brought[self.rank] = value
        meeting.barrier.wait()
        found: Value = meeting.brought[0]
        meeting.barrier.wait()
        return found


class _Meeting:
    def __init__(self, count: int) -> None:
        self.barrier = threading.Barrier(count, timeout=30)
        self.brought: dict[int, Any] = {}


def in_threads(count: int, work: Callable[[Workers], Result]) -> list[Result]:
    """What each of so many workers answers."""
    meeting = _Meeting(count)
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, [ThreadedWorkers(rank, count, meeting) for rank in range(count)]))
