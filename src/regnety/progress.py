"""What long work tells the terminal: a bar on a terminal, plain lines when piped, nothing when quiet."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

PLAIN_INTERVAL_S = 30.0
"""Seconds between two plain lines."""


class Progress:
    """Counts steps of one piece of work, on stderr.

        with Progress("epoch 1/20", total=390) as progress:
            progress.advance(loss=2.1)

    Args:
        description: what is being done.
        total: number of steps; None where it is not known.
        quiet: say nothing.
    """

    def __init__(self, description: str, *, total: int | None, quiet: bool = False) -> None:
        self.description = description
        self.total = total
        self.done = 0
        self._quiet = quiet
        self._bar: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> "Progress":
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(*self._columns(), console=Console(stderr=True), transient=True)
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
            self.say(f"{self._how_far()} {text}".rstrip())

    def say(self, text: str) -> None:
        """A line about this work, above its bar where there is one."""
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
    """Counts the bytes of a file on its way, which may begin in the middle, or anew.

    Args:
        description: what is on its way.
        quiet: say nothing.
    """

    def __init__(self, description: str, *, quiet: bool = False) -> None:
        super().__init__(description, total=None, quiet=quiet)

    def __enter__(self) -> "ByteProgress":
        super().__enter__()
        return self

    def place(self, done: int, total: int | None) -> None:
        """Say that so many bytes are here, of so many; None where their number is not known."""
        self.done, self.total = done, total
        if self._bar is not None:
            self._bar.reset(self._task, completed=done, total=total)

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
