"""Which engine, how many threads and how large a batch give the most images a second: tried here, and remembered.

What is fastest depends on the processor, the engines that are installed and the model, by factors of two and three, so
that no rule replaces trying. It takes a second or two of a long job, once: what was found is kept in the cache.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.errors import RegNetYError
from regnety.inference.engines.engine import Engine, Precision, available_cores
from regnety.inference.engines.selection import choose_engine, installed_engines, start_engine
from regnety.inference.processor import has_bf16, processor
from regnety.storage import cache_directory, replacing
from regnety.version import __version__

BATCHES = (1, 4, 8)
"""Images in a run: larger ones gain nothing where every thread has a run of its own."""
TRIAL_S = 0.1
"""Seconds of a trial."""
ROUNDS = 2
"""Trials of each candidate, taken in turns; the better one counts, as other work only takes away."""
LONGEST_RUN_S = 0.1
"""Of a larger batch that is still tried. A model so large that a batch takes longer gains nothing by it."""

logger = logging.getLogger("regnety")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is run."""

    engine: str
    precision: Precision
    workers: int
    """Threads that each take images from their bytes to their answers."""
    threads: int
    """Threads within one run of the engine."""
    batch: int
    """Images in one run."""


def untuned_plan(
    engine: str, precision: str, *, single: bool, workers: int | None = None, bundle: Bundle | None = None
) -> Plan:
    """What is taken for a few images.

    Args:
        engine: one of `ENGINES`.
        precision: one of `PRECISIONS`.
        single: whether there is one image only; it takes all threads. More take one each, which gives more a second.
        workers: threads; None is one for each core.
        bundle: the model, as for `choose_engine`.

    Raises:
        EngineError: there is no such engine or precision, or not here.
    """
    name, taken = choose_engine(engine, precision, bundle)
    threads = workers or available_cores()
    return Plan(name, taken, *((1, threads) if single else (threads, 1)), batch=1)


def remembered_plan(
    bundle: Bundle, engine: str, precision: str, *, workers: int | None = None, outputs: tuple[str, ...] = ("logits",)
) -> Plan | None:
    """What `tune` found earlier for such a model on this machine with these engines; None where it was not asked."""
    try:
        found = json.loads(_place(bundle, engine, precision, workers, outputs).read_text("utf-8"))
        return Plan(**found["plan"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: it is found anew
        return None


def tune(
    bundle: Bundle,
    images: npt.NDArray[np.uint8],
    engine: str,
    precision: str,
    *,
    workers: int | None = None,
    outputs: tuple[str, ...] = ("logits",),
) -> Plan:
    """Try what is installed on real images, and remember the fastest.

    Args:
        bundle: the model.
        images: as it is shown them, uint8 [number, image_size, image_size, 3]; repeated where a batch wants more.
        engine: one of `ENGINES`; one that is named is the only one.
        precision: one of `PRECISIONS`.
        workers: threads; None is one for each core.
        outputs: of the graph that are wanted.

    Raises:
        EngineError: no engine can be started.
    """
    threads = workers or available_cores()
    rates: dict[Plan, float] = {}
    for name, taken in candidates(engine, precision, bundle):
        try:
            rates |= _tried(bundle, outputs, images, name, taken, threads)
        except RegNetYError as error:
            logger.warning("%s cannot be tried: %s", name, error)
    if not rates:
        return untuned_plan(engine, precision, single=False, workers=workers, bundle=bundle)
    best = max(rates, key=rates.__getitem__)
    _remember(_place(bundle, engine, precision, workers, outputs), best, rates)
    return best


def candidates(engine: str, precision: str, bundle: Bundle | None = None) -> Iterator[tuple[str, Precision]]:
    """The engines to try, each with what it computes in; torch only where it is named, as it is slow to import."""
    taken = choose_engine(engine, precision, bundle)
    if engine != "auto" or taken == ("openvino", "int8"):
        yield taken
        return
    if bundle is not None and bundle.metadata.calibration is not None:
        yield taken
        if find_spec("openvino") is not None:
            yield "openvino", "int8"
        return
    if precision != "bf16":
        yield "onnxruntime", "f32"
    if find_spec("openvino") is not None:
        yield "openvino", "bf16" if precision != "f32" and has_bf16() else "f32"


def throughput(engine: Engine, batch: npt.NDArray[np.uint8], *, workers: int, seconds: float) -> float:
    """Images a second of an engine that is asked by some threads at once, for so many seconds or one run each."""
    runs = [0] * workers
    begin = time.perf_counter()

    def work(worker: int) -> None:
        while not runs[worker] or time.perf_counter() - begin < seconds:
            engine.run(batch)
            runs[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(runs) * len(batch) / (time.perf_counter() - begin)


def _tried(
    bundle: Bundle,
    outputs: tuple[str, ...],
    images: npt.NDArray[np.uint8],
    name: str,
    precision: Precision,
    workers: int,
) -> dict[Plan, float]:
    """Images a second of an engine with each batch that is worth a trial."""
    started: dict[Plan, Engine] = {}
    rates: dict[Plan, float] = {}
    for batch in BATCHES:
        if rates and batch * workers / max(rates.values()) > LONGEST_RUN_S:
            break
        plan = Plan(name, precision, workers, threads=1, batch=batch)
        started[plan] = start_engine(
            bundle,
            outputs=outputs,
            engine=name,
            precision=precision,
            threads=1,
            workers=workers,
            batch=batch,
            keep_compiled=batch == 1,
        )
        rates[plan] = throughput(started[plan], _batch_of(images, batch), workers=workers, seconds=TRIAL_S)
    for _ in range(ROUNDS - 1):
        for plan, running in started.items():
            again = throughput(running, _batch_of(images, plan.batch), workers=workers, seconds=TRIAL_S)
            rates[plan] = max(rates[plan], again)
    return rates


def _batch_of(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    return np.resize(images, (size, *images.shape[1:]))


def _remember(place: Path, plan: Plan, rates: dict[Plan, float]) -> None:
    """Keep it with what was measured and when, for whoever wonders; a cache that cannot be written costs it only."""
    facts = {
        "plan": asdict(plan),
        "measured": [{**asdict(tried), "images_per_s": round(rate, 1)} for tried, rate in rates.items()],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as beside:
            beside.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    except OSError as error:
        logger.info("%s: the plan is not kept: %s", place, error)


def _place(bundle: Bundle, engine: str, precision: str, workers: int | None, outputs: tuple[str, ...]) -> Path:
    """Another one for another machine, release, engine version, kind of model or wish; the weights do not matter."""
    here = processor()
    model = {**bundle.metadata.as_dict(), "labels": None, "provenance": None}
    facts = (
        __version__,
        here.name,
        sorted(here.flags or ()),
        available_cores(),
        installed_engines(),
        json.dumps(model, sort_keys=True),
        (engine, precision, workers, outputs),
    )
    return cache_directory() / "plans" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.json"
