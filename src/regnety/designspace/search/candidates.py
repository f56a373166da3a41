"""Candidates of a search: designs drawn from a space, each measured, of which those within the budget are kept.

Nothing is concluded from multiply-adds: two networks with the same number differ by a factor of three in time. They
only say where it is worth measuring: a ladder of single designs, each of four times the multiply-adds of the one
before, is climbed until one is far over the budget.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from regnety.architecture.counting import Complexity
from regnety.architecture.description import AnyDesign
from regnety.designspace.designs import Designs
from regnety.designspace.search.budget import Budget, Measured
from regnety.designspace.spaces import DesignSpace
from regnety.errors import EngineError, JobError
from regnety.progress import Progress
from regnety.text import counted

RUNGS = tuple(float(4**power) for power in range(9, 20))
"""Multiply-adds of the ladder: a quarter of a million to 275 billion."""
RUNG_DESIGNS = 8
"""Designs of a rung that are measured where the first one cannot be run, or is too slow on the lowest rung."""
RUNG_WIDTH = 1.4
"""A design of a rung has its multiply-adds up to this factor."""
MARGIN = 2.0
"""The band ends where a design is so many times over the budget, and begins where one is as far below it."""
MOST_RUNG_DRAWS = 500_000
"""Draws after which a rung has no design."""
MOST_MEASURED = 20
"""Designs measured for each candidate, at most."""
FEWEST_MEASURED = 100
"""Designs measured in any case before a search gives up."""
CHUNK = 64
"""Designs drawn at once, at first; twice as many the next time."""
FAILURES = 5
"""Designs in a row that no engine can run, after which the engine is at fault."""


class Timer(Protocol):
    """Measures designs."""

    def measure(self, design: AnyDesign, *, name: str, limit_ms: float | None = None) -> Measured:
        """The fastest way to run a design."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A design within the budget."""

    draw: int
    """The number of its draw."""
    design: AnyDesign
    complexity: Complexity
    """At the size and with the classes of the search."""
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What the search for candidates has found."""

    found: tuple[Candidate, ...]
    """In the order of their draws."""
    macs: tuple[float, float]
    """The band of multiply-adds that was drawn from."""
    measured: int
    """Designs that were measured, the ladder included."""
    too_slow: int
    """Of those drawn from the band, designs over the budget."""
    too_fast: int
    """Of those drawn from the band, designs that use too little of it."""
    not_run: int
    """Designs that no engine could run."""


@dataclass(slots=True)
class _Counts:
    measured: int = 0
    too_slow: int = 0
    too_fast: int = 0
    not_run: int = 0
    failures: list[EngineError] = field(default_factory=list)
    """In a row."""


def find_candidates(
    space: DesignSpace,
    count: int,
    timer: Timer,
    budget: Budget,
    *,
    seed: int = 0,
    quiet: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Candidates:
    """Draw designs, and measure each until enough are within the budget.

    Args:
        space: what they are drawn from; with `macs`, from that band of it alone.
        count: candidates wanted.
        timer: measures them.
        budget: what they may cost.
        seed: of the draws.
        quiet: show no progress.
        say: called with what a user should know.

    Returns:
        `count` candidates, or fewer where they are rare.

    Raises:
        JobError: no design within the budget was found; the message says what was measured.
        EngineError: the engine can run none.
    """
    counts = _Counts()
    band = space.macs
    if band is None:
        say(f"looking for the multiply-adds that take {budget.in_words()}")
        band = _band(space, timer, budget, counts, seed=seed, say=say)
    most = max(FEWEST_MEASURED, MOST_MEASURED * count)
    found: list[Candidate] = []
    nearest: Measured | None = None
    drawn = 0
    with Progress("measuring designs", total=count, quiet=quiet) as progress:
        for designs, at in _drawn(space.replace(macs=band), seed):
            measured = _measure(timer, designs[at], budget, counts)
            drawn += 1
            if measured is not None:
                nearest = measured if nearest is None or _cost(measured) < _cost(nearest) else nearest
                if budget.exceeded_by(measured):
                    counts.too_slow += 1
                elif budget.falls_short(measured):
                    counts.too_fast += 1
                else:
                    found.append(_candidate(designs, at, measured))
                    progress.advance(1, measured=counts.measured)
            if len(found) == count or drawn == most:
                break
    if not found:
        raise JobError(_none_found(budget, nearest, counts, band))
    if len(found) < count:
        say(f"{len(found)} of {drawn} designs that were measured are within {budget.in_words()}; going on with these")
    return Candidates(
        found=tuple(found),
        macs=band,
        measured=counts.measured,
        too_slow=counts.too_slow,
        too_fast=counts.too_fast,
        not_run=counts.not_run,
    )


def _band(
    space: DesignSpace, timer: Timer, budget: Budget, counts: _Counts, *, seed: int, say: Callable[[str], None]
) -> tuple[float, float]:
    """The multiply-adds between a design that is too small for the budget and one that is too large."""
    low = high = None
    for rung in RUNGS:
        designs = space.replace(macs=(rung / RUNG_WIDTH, rung * RUNG_WIDTH)).sample(
            RUNG_DESIGNS, seed=seed, max_draws=MOST_RUNG_DRAWS
        )
        if not len(designs):
            continue
        low = rung if low is None else low
        high = rung
        at, measured = _first_that_runs(designs, timer, budget, counts, fast=rung == low)
        if measured is None or budget.exceeded_by(measured, MARGIN):
            if measured is not None and rung == low:  # the smallest: no need to measure hundreds
                raise JobError(_none_found(budget, measured, counts, (rung / RUNG_WIDTH, rung * RUNG_WIDTH)))
            break  # networks that no engine can run are too large, too
        say(f"{_millions(designs.columns['macs'][at])} macs take {measured.latency_ms:.3g} ms with {measured.engine}")
        if budget.falls_short(measured, 1 / MARGIN):
            low = rung
    if low is None or high is None:
        raise JobError(f"the space {space.name} has no design from {_millions(RUNGS[0])} macs on; change its ranges")
    # the space may end before the budget does: then the last rung has no end above it
    return low / RUNG_WIDTH, high * RUNG_WIDTH


def _first_that_runs(
    designs: Designs, timer: Timer, budget: Budget, counts: _Counts, *, fast: bool
) -> tuple[int, Measured | None]:
    """The first design that an engine runs; with `fast`, the first not far over the budget, or else the fastest."""
    fastest: tuple[int, Measured | None] = 0, None
    for at in range(len(designs)):
        measured = _measure(timer, designs[at], budget, counts)
        if measured is None:
            continue
        if not fast or not budget.exceeded_by(measured, MARGIN):
            return at, measured
        if fastest[1] is None or _cost(measured) < _cost(fastest[1]):
            fastest = at, measured
    return fastest


def _drawn(space: DesignSpace, seed: int) -> Iterator[tuple[Designs, int]]:
    """The designs of a space, each once, in the order of their draws; until it seems to have no more."""
    seen: set[AnyDesign] = set()
    first, count = 0, CHUNK
    while True:
        designs, known = space.sample(count, seed=seed), len(seen)
        for at in range(first, count):
            if designs[at] not in seen:
                seen.add(designs[at])
                yield designs, at
        if len(seen) == known:
            return
        first, count = count, 2 * count


def _measure(timer: Timer, design: AnyDesign, budget: Budget, counts: _Counts) -> Measured | None:
    """None where no engine can run it."""
    counts.measured += 1
    try:
        measured = timer.measure(design, name=f"design {counts.measured}", limit_ms=budget.most_ms)
    except EngineError as error:
        counts.not_run += 1
        counts.failures.append(error)
        if len(counts.failures) == FAILURES:
            raise
        return None
    counts.failures.clear()
    return measured


def _candidate(designs: Designs, at: int, measured: Measured) -> Candidate:
    row = designs.row(at)
    return Candidate(
        draw=row["draw"],
        design=designs[at],
        complexity=Complexity(num_params=row["num_params"], macs=row["macs"], activations=row["activations"]),
        measured=measured,
    )


def _cost(measured: Measured) -> tuple[float, float]:
    return measured.latency_ms, measured.memory_mib or 0.0


def _none_found(budget: Budget, least: Measured | None, counts: _Counts, band: tuple[float, float]) -> str:
    low, high = map(_millions, band)
    message = f"none of {counted(counts.measured, 'design')} of {low} to {high} macs is within {budget.in_words()}"
    if least is None:
        return f"{message}: no engine could run one"
    memory = "" if least.memory_mib is None else f" and {least.memory_mib:.0f} MiB"
    return f"{message}; the fastest takes {least.latency_ms:.3g} ms{memory}. Change the budget, or --macs"


def _millions(macs: float) -> str:
    return f"{macs / 1e6:.3g} million"
