"""`pick`: the most accurate published model whose measured latency and memory fit on this machine.

Models are measured from the most accurate down, and no further than the answer and the runner-up. Nothing is concluded
from multiply-adds: a model that is far too large or too slow is ruled out by measuring a part of it, which is a lower
bound.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from regnety.errors import EngineError, RegNetYError, WeightsError
from regnety.inference.engines.registry import ENGINES, Precision
from regnety.inference.latency.benchmark import engines_to_time, with_auto
from regnety.inference.latency.timed_models import TimedModel, published_candidates
from regnety.inference.latency.timing import LatencyRow, Timing

BYTES_PER_PARAMETER = 2  # in bf16, the least; every run touches all weights, so they are resident
PARTS_FROM_PARAMS = 25_000_000  # from here on a part is measured first: to write and load the whole takes seconds
PARTS = 2  # the part ends after the first stage, then after the second; the last stage has most of the weights
PART_MARGIN = 1.3  # a part must take so many times the limit, as measurements vary

logger = logging.getLogger("regnety")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Budget:
    """The limits of a model; None is no limit."""

    latency_ms: float | None
    memory_mib: float | None

    def may_admit(self, row: LatencyRow) -> bool:
        """Whether the model alone is within the limits; unknown memory is not."""
        if self.latency_ms is not None and row.latency_p50_ms > self.latency_ms:
            return False
        return self.memory_mib is None or (row.memory_mib is not None and row.memory_mib <= self.memory_mib)


def pick(
    *,
    latency_ms: float | None = None,
    memory_mib: float | None = None,
    candidates: Sequence[TimedModel] | None = None,
    engine: str = "auto",
    precision: str = "auto",
    batch_size: int = 1,
    threads: int | None = None,
    fresh: bool = False,
    count: int = 2,
    on_model: Callable[[TimedModel, LatencyRow | None], None] | None = None,
) -> list[LatencyRow]:
    """The most accurate models that fit on this machine, the best first: the answer and the runner-up.

    Args:
        latency_ms: median milliseconds that a batch may take; None is no limit.
        memory_mib: peak resident memory that a batch job of photographs of 12 megapixels may have, the whole process
            with a worker on each thread; None is no limit.
        candidates: models whose accuracy is known, the most accurate first; None is all published ones at their sizes.
        engine: a name; `auto` is the fastest that fits of those that `auto` tries, for each model.
        precision: `f32` or `bf16`; `auto` is the faster one that fits. Accuracies are those of f32.
        batch_size: images in a batch.
        threads: threads that a batch may use; None is one per core.
        fresh: measure again what is in the cache.
        count: number of models to find.
        on_model: called when a model has been measured, with its fastest row that fits.

    Returns:
        For each the fastest row that fits; fewer than `count` where fewer fit.

    Raises:
        EngineError: the engine is not installed, or no candidate can be run.
    """
    budget = _Budget(latency_ms=latency_ms, memory_mib=memory_mib)
    pairs = engines_to_time((engine,), (precision,))
    found: list[LatencyRow] = []
    failures: list[RegNetYError] = []
    asked = published_candidates() if candidates is None else candidates
    for model in asked:
        row = None
        # one after the other: the files of the largest are gigabytes, and go when its turn ends
        with Timing(model, threads=threads, fresh=fresh) as timing:
            try:
                row = _fitting_row(timing, budget, pairs, batch_size)
            except (EngineError, WeightsError) as error:
                failures.append(error)  # the largest may not fit on this machine; a smaller one may
        if on_model is not None:
            on_model(model, row)
        if row is not None:
            found.append(row)
            if len(found) == count:
                break
    if failures and len(failures) == len(asked):
        raise failures[0]
    for failure in failures:
        logger.warning("%s; it is left out", failure)
    return found


def _fitting_row(
    timing: Timing, budget: _Budget, pairs: Sequence[tuple[str, Precision]], batch_size: int
) -> LatencyRow | None:
    """The fastest way to run a model within a budget."""
    if budget.memory_mib is not None:
        # known without a measurement: what cannot fit is not even written
        weights_mib = BYTES_PER_PARAMETER * timing.model.num_params / (1 << 20)
        if weights_mib > budget.memory_mib:
            return None
    rows = []
    for engine, precision in pairs:
        if _part_is_too_slow(timing, budget, engine, precision, batch_size):
            continue
        rows.append(timing.row(engine, precision, batch_size=batch_size, limit_ms=budget.latency_ms))
    fitting = [row for row in with_auto(timing.settled(rows)) if budget.may_admit(row)]
    # A batch job takes longest to measure: only of what fits alone, and of the fastest first.
    for row in sorted(fitting, key=lambda row: row.latency_p50_ms):
        if budget.memory_mib is None:
            return row
        job_mib = timing.job_memory_mib(row.engine, row.precision)
        if job_mib is not None and job_mib <= budget.memory_mib:
            return replace(row, job_memory_mib=job_mib)
    return None


def _part_is_too_slow(timing: Timing, budget: _Budget, engine: str, precision: Precision, batch_size: int) -> bool:
    """Whether the first part of a large network alone takes longer than the whole may."""
    model, limit_ms = timing.model, budget.latency_ms
    # torch, which is not `tried`, runs the whole network whichever output is asked for: it has no part
    if limit_ms is None or model.num_params < PARTS_FROM_PARAMS or not ENGINES[engine].tried:
        return False
    # `any` stops at the first part that is too slow, and the next, larger one is not written
    return any(
        timing.part_ms(engine, precision, batch_size=batch_size, output=output, limit_ms=limit_ms)
        > PART_MARGIN * limit_ms
        for output in [stage.name for stage in model.bundle.architecture.stages[:-1]][:PARTS]
    )
