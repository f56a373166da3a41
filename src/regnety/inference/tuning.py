"""Which engine, how many threads and which batch size give the most images a second: tried here, and remembered.

That depends on the processor, the installed engines and the model, by factors of two and three, so no rule replaces
trying. It takes some two seconds of a long job, once: the result is kept in the cache.
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
from regnety.storage.cache import cache_folder, say_not_kept
from regnety.storage.replacing import replacing
from regnety.version import __version__

BATCHES = (1, 4, 8)
"""Images in a run. Larger batches gained nothing when measured: every thread already has a run of its own."""
TRIAL_S = 0.1
"""Seconds that a candidate is run for."""
ROUNDS = 2
"""Runs of each candidate, taken in turns; the better one counts, as other work on the machine only slows it down."""
LONGEST_RUN_S = 0.1
"""A batch that would take longer is not tried: a model that large gains nothing from batches."""
WORTH_TRYING = 0.7
"""An engine below this share of the best rate with single images is not tried with batches."""

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
    """Makes the pipeline of a plan."""

    def __call__(self, plan: Plan, *, keep_compiled: bool) -> Pipeline:
        """Not started yet."""


def untuned_plan(chosen: tuple[str, Precision], *, single: bool, workers: int | None = None) -> Plan:
    """The plan for a few images.

    Args:
        chosen: engine and precision (`choose_engine`).
        single: whether there is only one image; it gets all threads. Several get one each, which gives more per second.
        workers: threads; None is one on each core.
    """
    threads = workers or available_cores()
    return Plan(*chosen, *((1, threads) if single else (threads, 1)), batch=1)


def remembered_plan(bundle: Bundle, options: RunOptions, *, outputs: tuple[str, ...] = ("logits",)) -> Plan | None:
    """What `tune` found earlier for such a model on this machine with these engines; None if it was not run."""
    found = _kept_plan(_place(bundle, options, outputs))
    if found is None and options.engine != AUTO:
        # If the fastest of all engines is the one that is named, its plan is the one for that engine.
        of_all = _kept_plan(_place(bundle, replace(options, engine=AUTO, precision=AUTO), outputs))
        chosen = choose_engine(options.engine, options.precision, bundle)
        if of_all is not None and (of_all.engine, of_all.precision) == chosen:
            return of_all
    return found


def _kept_plan(place: Path) -> Plan | None:
    try:
        return Plan(**json.loads(place.read_text("utf-8"))["plan"])
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is not one of ours
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
        images: some in memory, which are used again and again.
        pipeline_of: makes the pipeline of a plan; its compiled graph is kept in the cache or not.
        options: how the model is run; an engine that is named is the only one tried.
        outputs: of the graph, those to compute.

    Returns:
        The fastest; None if no engine can be started, or none of the images can be read.
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
    # Batch size 1 first, for all: what is far behind there, or slow, is not compiled for larger batches.
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
            with suppress(EngineError):  # the engine does not have the precision
                yield choose_engine(row.name, precision, bundle)


class _Trial:
    """A pipeline that is tried. It is started and warm once this is made.

    Args:
        pipeline: to be tried.
        images: what it is run on, in a circle.
        group: number of images that keep all of its workers busy once.
    """

    def __init__(self, pipeline: Pipeline, images: Sequence[ImageSource], group: int) -> None:
        self._pipeline = pipeline
        self._images = images
        self._group = group
        self.rate = 0.0
        """Images per second in the best of its runs."""
        images_per_s(pipeline, images, group)  # starts the engine; its time means nothing
        self.rate = images_per_s(pipeline, images, group)
        self.run()

    def run(self) -> None:
        """Measure once more, for about `TRIAL_S`."""
        groups = max(1, math.ceil(self.rate * TRIAL_S / self._group))
        self.rate = max(self.rate, images_per_s(self._pipeline, self._images, groups * self._group))


def images_per_s(pipeline: Pipeline, images: Sequence[ImageSource], count: int) -> float:
    """Images per second that a pipeline answers, measured on `count`; unreadable ones are not counted."""
    begin = time.perf_counter()
    answered = sum(output.error is None for output in pipeline.stream(islice(cycle(images), count)))
    return answered / (time.perf_counter() - begin)


def _remember(place: Path, plan: Plan, rates: dict[Plan, float]) -> None:
    """Keep a plan, and for the curious what was measured and when. A cache that cannot be written is only noted."""
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
    """Where a plan is kept: the name changes with machine, release, engine versions, kind of model and options."""
    here = processor()
    # Neither weights nor class names change the speed: another training of the same network finds this plan.
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
    return cache_folder("plans") / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.json"
