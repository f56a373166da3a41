"""What long work tells the terminal: a bar on a terminal, plain lines when piped, nothing when quiet."""

import sys
import time
from types import TracebackType
from typing import Any

PLAIN_INTERVAL_S = 30.0
"""Seconds between two plain lines."""


class Progress:
    """Counts steps of one piece of work, on stderr.

        with Progress("epoch 1/20", total=390) as progress:
            progress.advance(loss=2.1)

    Args:
        description: what is being done.
        total: number of steps.
        quiet: say nothing.
    """

    def __init__(self, description: str, *, total: int, quiet: bool = False) -> None:
        self.description = description
        self.total = total
        self.done = 0
        self._quiet = quiet
        self._bar: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> "Progress":
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self.description, total=self.total, facts="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int = 1, **facts: float) -> None:
        """Say that `count` more steps are done, and how it goes."""
        self.done += count
        text = " ".join(f"{name} {value:.4g}" for name, value in facts.items())
        if self._bar is not None:
            self._bar.update(self._task, advance=count, facts=text)
        elif not self._quiet and time.monotonic() - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            print(f"{self.description}: {self.done}/{self.total} {text}".rstrip(), file=sys.stderr, flush=True)
