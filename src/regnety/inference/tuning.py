"""Which engine, how many threads and how large a batch give the most images a second: tried here, and remembered.

What is fastest depends on the processor, the engines that are installed and the model, by factors of two and three, so
that no rule replaces trying. It takes some two seconds of a long job, once: what was found is kept in the cache.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, RegNetYError
from regnety.images.sources import ImageSource
from regnety.inference.engines.processor import available_cores, processor
from regnety.inference.engines.registry import AUTO, ENGINES, Precision
from regnety.inference.engines.selection import can_run, choose_engine, installed_engines
from regnety.inference.options import RunOptions
from regnety.inference.pipeline import Pipeline
from regnety.storage import cache_directory, replacing, say_not_kept
from regnety.version import __version__

BATCHES = (1, 4, 8)
"""Images in a run: larger ones gain nothing where every thread has a run of its own."""
TRIAL_S = 0.1
"""Seconds of a run."""
ROUNDS = 2
"""Runs of each candidate, taken in turns; the better one counts, as other work only takes away."""
LONGEST_RUN_S = 0.1
"""Of a larger batch that is still tried. A model so large that a batch takes longer gains nothing by it."""
WORTH_TRYING = 0.7
"""Of the best rate: an engine that is slower by more with single images is not tried with batches."""

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


class PipelineOf(Protocol):
    """What makes the pipeline of a plan."""

    def __call__(self, plan: Plan, *, keep_compiled: bool) -> Pipeline:
        """Not started yet."""


def untuned_plan(chosen: tuple[str, Precision], *, single: bool, workers: int | None = None) -> Plan:
    """The plan for a few images.

    Args:
        chosen: engine and precision (`choose_engine`).
        single: whether there is one image only; it takes all threads. More take one each, which gives more a second.
        workers: threads; None is one on each core.
    """
    threads = workers or available_cores()
    return Plan(*chosen, *((1, threads) if single else (threads, 1)), batch=1)


def remembered_plan(bundle: Bundle, options: RunOptions, *, outputs: tuple[str, ...] = ("logits",)) -> Plan | None:
    """What `tune` found earlier for such a model on this machine with these engines; None if it was not asked."""
    found = _kept_plan(_place(bundle, options, outputs))
    if found is None and options.engine != AUTO:
        # The fastest of all is the plan for its engine too.
        of_all = _kept_plan(_place(bundle, replace(options, engine=AUTO, precision=AUTO), outputs))
        chosen = choose_engine(options.engine, options.precision, bundle)
        if of_all is not None and (of_all.engine, of_all.precision) == chosen:
            return of_all
    return found


def _kept_plan(place: Path) -> Plan | None:
    try:
        return Plan(**json.loads(place.read_text("utf-8"))["plan"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: it is found anew
        return None


def tune(
    bundle: Bundle,
    images: Sequence[ImageSource],
    pipeline_of: PipelineOf,
    options: RunOptions,
    *,
    outputs: tuple[str, ...] = ("logits",),
) -> Plan | None:
    """Try what is installed on real images, from their bytes to their outputs, and remember the fastest.

    Args:
        bundle: the model.
        images: some that are in memory; they are asked about again and again.
        pipeline_of: makes the pipeline of a plan, whose compiled graph is kept in the cache or not.
        options: how the model is run; an engine that is named is the only one tried.
        outputs: of the graph, those to compute.

    Returns:
        The fastest; None where no engine can be started, or none of the images can be read.
    """
    threads = options.workers or available_cores()
    trials: dict[Plan, _Trial] = {}
    for name, taken in candidates(options.engine, options.precision, bundle):
        plan = Plan(name, taken, threads, threads=1, batch=1)
        try:
            trials[plan] = _Trial(pipeline_of(plan, keep_compiled=True), images, threads)
        except RegNetYError as error:
            logger.warning("%s cannot be tried: %s", name, error)
    best = max((trial.rate for trial in trials.values()), default=0.0)
    if not best:
        return None
    for one, trial in list(trials.items()):
        for batch in BATCHES[1:]:
            if trial.rate < WORTH_TRYING * best or batch * threads / trial.rate > LONGEST_RUN_S:
                break
            plan = replace(one, batch=batch)
            trials[plan] = _Trial(pipeline_of(plan, keep_compiled=False), images, batch * threads)
    for _ in range(ROUNDS - 1):
        for trial in trials.values():
            trial.run()
    fastest = max(trials, key=lambda plan: trials[plan].rate)
    rates = {plan: trial.rate for plan, trial in trials.items()}
    _remember(_place(bundle, options, outputs), fastest, rates)
    return fastest


def candidates(engine: str, precision: str, bundle: Bundle | None = None) -> Iterator[tuple[str, Precision]]:
    """The engines to try, each with what it computes in."""
    chosen = choose_engine(engine, precision, bundle)
    if engine != AUTO:
        yield chosen
        return
    for row in ENGINES.values():
        if row.tried and row.is_installed and can_run(row, bundle):
            with suppress(EngineError):  # it does not have the precision
                yield choose_engine(row.name, precision, bundle)


class _Trial:
    """A pipeline that is tried: started and warm once it is made.

    Args:
        pipeline: to be tried.
        images: that it is asked about, in a circle.
        group: images that keep all of its workers busy once.
    """

    def __init__(self, pipeline: Pipeline, images: Sequence[ImageSource], group: int) -> None:
        self._pipeline = pipeline
        self._images = images
        self._group = group
        self.rate = 0.0
        """Images that it answered a second, in the best of its runs."""
        images_per_s(pipeline, images, group)
        self.rate = images_per_s(pipeline, images, group)
        self.run()

    def run(self) -> None:
        """Once more, for about `TRIAL_S`."""
        groups = max(1, math.ceil(self.rate * TRIAL_S / self._group))
        self.rate = max(self.rate, images_per_s(self._pipeline, self._images, groups * self._group))


def images_per_s(pipeline: Pipeline, images: Sequence[ImageSource], count: int) -> float:
    """Images a second that a pipeline answers, of so many; what cannot be read is not counted."""
    begin = time.perf_counter()
    answered = sum(output.error is None for output in pipeline.stream(islice(cycle(images), count)))
    return answered / (time.perf_counter() - begin)


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
        say_not_kept(place, error)


def _place(bundle: Bundle, options: RunOptions, outputs: tuple[str, ...]) -> Path:
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
        (options.engine, options.precision, options.workers, outputs),
    )
    return cache_directory() / "plans" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.json"
