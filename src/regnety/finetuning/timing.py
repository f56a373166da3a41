"""Where the time of a run goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


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
