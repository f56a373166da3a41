"""Progress of long work on stderr: a bar on a terminal, plain lines when piped, nothing when quiet."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

PLAIN_INTERVAL_S = 30.0
"""Seconds between two plain lines; a log of a night's training stays readable."""


class Progress:
    """Counts steps of one piece of work, on stderr.

        with Progress("epoch 1/20", total=390) as progress:
            progress.advance(loss=2.1)

    Args:
        description: what is being done.
        total: number of steps; None where it is not known.
        done: steps that were done before.
        quiet: say nothing.
    """

    def __init__(self, description: str, *, total: int | None, done: int = 0, quiet: bool = False) -> None:
        self.description = description
        self.total = total
        self.done = done
        self._quiet = quiet
        self._bar: Any = None
        # Counted from here, so that short work prints no line. Monotonic: a clock may be set during a night's work.
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        # not stdout: results may go into a pipe while a person watches the bar
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console  # 90 ms, spent only where a bar is seen
            from rich.progress import Progress as RichProgress

            # transient: a bar that is full says nothing beside the result
            self._bar = RichProgress(*self._columns(), console=Console(stderr=True), transient=True)
            # facts: the column that shows them fails for a task without them
            self._task = self._bar.add_task(self.description, total=self.total, completed=self.done, facts="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int = 1, **facts: float) -> None:
        """Report `count` more steps, and how the work goes; it costs 4 µs, as rich draws ten times a second at most."""
        self.done += count
        text = " ".join(f"{name} {value:.4g}" for name, value in facts.items())
        if self._bar is not None:
            self._bar.update(self._task, advance=count, facts=text)
        elif not self._quiet and time.monotonic() - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            self.say(f"{self._how_far()} {text}".rstrip())

    def say(self, text: str) -> None:
        """Print a line about this work; rich keeps the bar below it."""
        if not self._quiet:
            print(f"{self.description}: {text}", file=sys.stderr, flush=True)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        return [
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
        ]

    def _how_far(self) -> str:
        return f"{self.done}/{self.total}"


class ByteProgress(Progress):
    """Counts the bytes of a file that is being fetched."""

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        return [
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        ]

    def _how_far(self) -> str:
        whole = "" if self.total is None else f" of {self.total / 1e6:.1f}"
        return f"{self.done / 1e6:.1f}{whole} MB"
