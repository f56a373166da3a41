"""How fast a model is before and after quantization, on every installed engine."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.inference.engines.processor import available_cores, has_bf16
from regnety.inference.engines.registry import ENGINES, Engine, Precision
from regnety.inference.engines.selection import start_engine

ROUNDS, RUNS = 9, 3
"""Engines take turns, so that other work on the machine slows all of them alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long an engine takes for one image on all cores."""

    engine: str
    """`openvino 2026.4.1`."""
    precision: Precision
    """`int8` is the new model, the others are the one that it was made from."""
    latency_ms: float
    """Median, in milliseconds."""


def measure_speeds(before: Bundle, after: Bundle, pictures: Sequence[npt.NDArray[Any]]) -> tuple[Speed, ...]:
    """Time both models, one image at a time.

    Args:
        before: the model in floating point.
        after: the same in int8.
        pictures: as they are shown them, uint8 [1, height, width, 3].
    """
    engines: list[Engine] = []
    for row in ENGINES.values():
        if not row.is_installed or "int8" not in row.precisions:
            continue
        for precision in row.precisions:
            if precision != "bf16" or has_bf16():
                engines.append(_start(after if precision == "int8" else before, row.name, precision))
    times: list[list[float]] = [[] for _ in engines]
    shown = cycle(np.ascontiguousarray(picture) for picture in pictures)
    for _ in range(ROUNDS):
        for engine, durations in zip(engines, times, strict=True):
            engine.run(next(shown))  # what another engine has pushed out of the caches comes back
            for _ in range(RUNS):
                picture, begin = next(shown), time.perf_counter()
                engine.run(picture)
                durations.append(1000 * (time.perf_counter() - begin))
    return tuple(
        Speed(
            engine=f"{engine.name} {engine.version}",
            precision=engine.precision,
            latency_ms=statistics.median(durations),
        )
        for engine, durations in zip(engines, times, strict=True)
    )


def _start(bundle: Bundle, engine: str, precision: str) -> Engine:
    return start_engine(bundle, engine=engine, precision=precision, threads=available_cores(), keep_compiled=False)
