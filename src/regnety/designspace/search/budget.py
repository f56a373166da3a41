"""What a network may cost on this machine."""

from dataclasses import dataclass
from typing import Any

from regnety.errors import JobError

LEAST_USED = 0.5
"""Share of the time that a candidate uses at least, unless the user says another: faster networks are worse ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One design on one engine of this machine, with random weights and one picture at a time."""

    engine: str
    engine_version: str
    precision: str
    latency_ms: float
    """Median."""
    latency_p99_ms: float
    memory_mib: float | None
    """Peak resident memory of a process that loads and runs it; None if the system does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of a search; None is no limit.

    Args:
        latency_ms: (least, most) median milliseconds of a picture.
        memory_mib: peak resident memory of a process that loads and runs the network.

    Raises:
        JobError: there is no limit, or one that nothing can meet.
    """

    latency_ms: tuple[float, float] | None = None
    memory_mib: float | None = None

    def __post_init__(self) -> None:
        if self.latency_ms is None and self.memory_mib is None:
            raise JobError("a search needs a limit: give latency_ms or memory_mib (--latency-ms, --memory-mib)")
        if self.latency_ms is not None:
            least, most = self.latency_ms
            if not 0 <= least < most < float("inf"):
                raise JobError(f"latency_ms (--latency-ms) must be from 0 up to a limit, got {least:g} to {most:g}")
        if self.memory_mib is not None and not 0 < self.memory_mib < float("inf"):
            raise JobError(f"memory_mib (--memory-mib) must be above 0, got {self.memory_mib:g}")

    @classmethod
    def of(cls, latency_ms: float | tuple[float, float] | None, memory_mib: float | None) -> "Budget":
        """A single number of milliseconds is the most; candidates use at least half of it."""
        if latency_ms is not None and not isinstance(latency_ms, tuple):
            latency_ms = (LEAST_USED * latency_ms, latency_ms)
        return cls(latency_ms=latency_ms, memory_mib=memory_mib)

    @property
    def most_ms(self) -> float | None:
        """The most milliseconds."""
        return None if self.latency_ms is None else self.latency_ms[1]

    def admits(self, measured: Measured) -> bool:
        """Whether a network is a candidate; unknown memory is within no limit."""
        return not self.exceeded_by(measured) and not self.falls_short(measured)

    def exceeded_by(self, measured: Measured, times: float = 1.0) -> bool:
        """Whether a network costs more than so many times a limit."""
        if self.latency_ms is not None and measured.latency_ms > times * self.latency_ms[1]:
            return True
        if self.memory_mib is None:
            return False
        return measured.memory_mib is None or measured.memory_mib > times * self.memory_mib

    def falls_short(self, measured: Measured, times: float = 1.0) -> bool:
        """Whether a network takes less than so many times the least milliseconds."""
        return self.latency_ms is not None and measured.latency_ms < times * self.latency_ms[0]

    def in_words(self) -> str:
        """`2.5 to 5 ms, at most 100 MiB`."""
        parts = []
        if self.latency_ms is not None:
            least, most = self.latency_ms
            parts.append(f"{least:g} to {most:g} ms" if least else f"at most {most:g} ms")
        if self.memory_mib is not None:
            parts.append(f"at most {self.memory_mib:g} MiB")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "latency_ms": None if self.latency_ms is None else list(self.latency_ms),
            "memory_mib": self.memory_mib,
        }
