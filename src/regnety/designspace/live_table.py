"""How a population gets on, on stderr: a table on a terminal, a line each half minute elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from regnety.designspace.halving import Progress
from regnety.designspace.plan import Plan
from regnety.progress import PLAIN_INTERVAL_S
from regnety.text import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

MOST_ROWS = 16
"""Running trials in the table."""


class LiveTable:
    """Shows what is running, what is done, the best so far, and the time left.

    Args:
        plan: the population.
        progress: of its trials, which changes meanwhile.
        quiet: show nothing.
    """

    def __init__(self, plan: Plan, progress: list[Progress], *, quiet: bool) -> None:
        self._plan, self._progress, self._quiet = plan, progress, quiet
        self._halving = plan.halving
        self._running: dict[int, tuple[int, float]] = {}
        self._newest: dict[int, dict[str, Any]] = {}
        self._before_s = sum(each.seconds for each in progress)
        self._before_epochs = sum(each.epochs for each in progress)
        self._slots = 1
        self._live: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                get_renderable=self._shown, console=Console(stderr=True), refresh_per_second=2, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, trial: int, until: int) -> None:
        """A trial has begun, or goes on."""
        self._running[trial] = (until, time.monotonic())

    def after_epoch(self, trial: int, row: dict[str, Any]) -> None:
        """A running trial has a new row."""
        self._newest[trial] = row
        self.look()

    def ended(self, trial: int) -> None:
        """A trial has paused or ended."""
        self._running.pop(trial, None)
        self._newest.pop(trial, None)

    def look(self, slots: int | None = None) -> None:
        """Say a line where it is time for one; `slots` are the trials that can run at a time."""
        self._slots = slots or self._slots
        if not self._quiet and self._live is None and time.monotonic() - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            print(f"regnety: {self.line()}", file=sys.stderr, flush=True)

    def line(self) -> str:
        """`12 of 48 trials done, 2 running, 1 failed; best error 34.2 % (trial 7); 12 minutes left`."""
        rungs = self._halving.survivors(self._progress)
        going_on = set(rungs[-1])
        done = failed = stopped = 0
        for trial, progress in enumerate(self._progress):
            if self._halving.is_finished(trial, progress):
                done += 1
            elif progress.gave_up:
                failed += 1
            elif trial not in going_on:
                stopped += 1
        parts = [f"{done} of {counted(len(self._progress), 'trial')} done", f"{len(self._running)} running"]
        parts += [f"{stopped} stopped early"] * bool(stopped) + [f"{failed} failed"] * bool(failed)
        return "; ".join([", ".join(parts), *self._best(), *self._left()])

    def _best(self) -> list[str]:
        known = [
            (-each.epochs, each.error_after(each.epochs), trial)
            for trial, each in enumerate(self._progress)
            if each.epochs
        ]
        if not known:
            return []
        epochs, error, trial = min(known)
        return [f"best error {error:.2f} % after {counted(-epochs, 'epoch')} (trial {trial})"]

    def _left(self) -> list[str]:
        seconds = sum(each.seconds for each in self._progress) - self._before_s
        epochs = sum(each.epochs for each in self._progress) - self._before_epochs
        remaining = self._halving.remaining_epochs(self._progress)
        if not epochs or not remaining:
            return []
        return [f"{_duration(remaining * seconds / epochs / self._slots)} left"]

    def _shown(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        line = Text(self.line())
        return Group(line, self._table()) if self._running else Group(line)

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(box=None, header_style="dim")
        for name in ("trial", "design", "epochs", "error", "minutes"):
            table.add_column(name, justify="left" if name == "design" else "right")
        now = time.monotonic()
        for trial, (until, since) in sorted(self._running.items())[:MOST_ROWS]:
            row = self._newest.get(trial) or (self._progress[trial].rows or [{}])[-1]
            table.add_row(
                str(trial),
                _words(self._plan, trial),
                f"{row.get('epoch', 0)}/{until}",
                f"{100 - row['val_top1']:.2f} %" if "val_top1" in row else "",
                f"{(now - since) / 60:.1f}",
            )
        return table


def _words(plan: Plan, trial: int) -> str:
    counts = plan.complexities[trial]
    varied = "".join(f", {key}={_short(value)}" for key, value in plan.trials[trial].varied.items())
    design = plan.trials[trial].design
    widths = "-".join(str(stage.width) for stage in design.fitted_stages())
    return f"{widths}, {counts.macs / 1e6:.0f}M macs{varied}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return counted(max(1, round(seconds)), "second")
    return counted(round(seconds / 60), "minute") if seconds < 5400 else f"{seconds / 3600:.1f} hours"
