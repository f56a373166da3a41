"""How long models take on this machine, and how much memory: measured, never computed from their multiply-adds.

regnety_040 has a quarter more multiply-adds than regnety_032, and is faster on most hardware. Each figure comes from a
separate process, which loads one graph with one engine and does nothing else (`timing_process.py`), and is cached.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, RegNetYError, WeightsError
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import AUTO, ENGINES, Precision, engine_row
from regnety.inference.engines.selection import choose_engine
from regnety.inference.latency.timed_models import TimedModel, timed_model
from regnety.inference.latency.timing import LatencyRow, Timing

logger = logging.getLogger("regnety")


def engines_to_time(
    engines: Sequence[str] = ("auto",), precisions: Sequence[str] = ("auto",), bundle: Bundle | None = None
) -> list[tuple[str, Precision]]:
    """The pairs of an engine and a precision that can be timed here; those that do not exist are left out.

    Args:
        engines: names; `auto` is all that are installed and that `auto` tries (not PyTorch).
        precisions: `auto` is all that the processor and the engine have.
        bundle: the model; a quantized one computes in int8. None is a model in floating point.

    Raises:
        EngineError: no pair is left, or an engine that was named is not installed.
    """
    named = [engine_row(name) for name in engines if name != AUTO]
    for row in named:
        if not row.is_installed:
            raise EngineError(f"the engine {row.name} is not installed: {row.how_to_install()}")
    tried = [row for row in ENGINES.values() if AUTO in engines and row.tried and row.is_installed]
    if "auto" in precisions:
        quantized = bundle is not None and bundle.is_quantized
        precisions = ("int8",) if quantized else ("f32", "bf16") if has_bf16() else ("f32",)
    pairs: list[tuple[str, Precision]] = []
    refusals: list[EngineError] = []
    for row, precision in product(dict.fromkeys(named + tried), dict.fromkeys(precisions)):
        try:
            pairs.append(choose_engine(row.name, precision, bundle))
        except EngineError as error:
            # an engine may lack a precision: that is an error only if no pair is left
            refusals.append(error)
    if not pairs:
        raise refusals[0]
    return pairs


def bench(
    models: Iterable[str | TimedModel],
    *,
    engines: Sequence[str] = ("auto",),
    precisions: Sequence[str] = ("auto",),
    batch_sizes: Sequence[int] = (1, 8),
    threads: int | None = None,
    fresh: bool = False,
    on_row: Callable[[LatencyRow], None] | None = None,
) -> Iterator[LatencyRow]:
    """Latency, throughput and memory of models: a row for each engine, precision and batch.

    Args:
        models: names, or anything else that `Bundle.load` takes. Weights of named models are neither fetched nor
            read: random ones take as long.
        engines: names; `auto` is all that are installed and that `auto` tries (not PyTorch).
        precisions: `f32`, `bf16`; `auto` is all that the processor and the engine have. A quantized model has `int8`.
        batch_sizes: images in a batch.
        threads: threads that a batch may use; None is one per core.
        fresh: measure again what is in the cache.
        on_row: called with each row as it is measured; the fastest is not marked yet, and those near it are measured
            once more.

    Yields:
        The rows of one model after the other, the fastest of each batch marked `auto`.

    Raises:
        UnknownModelError: there is no such model.
        EngineError: an engine is not installed, or none can run a model.
    """
    for model in models:
        rows = []
        failures: list[RegNetYError] = []
        timed = model if isinstance(model, TimedModel) else timed_model(model)
        pairs = engines_to_time(engines, precisions, timed.bundle)
        with Timing(timed, threads=threads, fresh=fresh) as timing:
            # dict.fromkeys: a size that is given twice is measured once, and their order stays
            for batch_size in dict.fromkeys(batch_sizes):
                rivals = []
                for engine, precision in pairs:
                    try:
                        rivals.append(timing.row(engine, precision, batch_size=batch_size))
                    except (EngineError, WeightsError) as error:  # the rows of the others are not lost
                        failures.append(error)
                    else:
                        if on_row is not None:
                            on_row(rivals[-1])
                # only rows of one batch size are rivals: they are settled together
                rows += timing.settled(rivals)
        if not rows and failures:
            raise failures[0]
        for failure in failures:
            logger.warning("%s; it is left out", failure)
        yield from with_auto(rows)


def with_auto(rows: Sequence[LatencyRow]) -> list[LatencyRow]:
    """The rows of one model, the fastest of each batch marked; what `auto` does not try, only if there is no other."""
    marked = []
    for row in rows:
        rivals = [other for other in rows if other.batch_size == row.batch_size]
        rivals = [other for other in rivals if ENGINES[other.engine].tried] or rivals
        marked.append(replace(row, auto=row is min(rivals, key=lambda other: other.latency_p50_ms)))
    return marked
