"""A model on the engine that suits the work: one image, a few, or so many that it pays to look for the fastest."""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import closing, suppress
from itertools import chain, islice

from regnety.bundle.bundle import Bundle
from regnety.errors import ImageError, WeightsError
from regnety.forks import ProcessLock, bind, never_free
from regnety.images.sources import ImageSource, NamedImage, StoredImage, read_image_file, source_name
from regnety.inference.engines.registry import ENGINES, Engine
from regnety.inference.engines.selection import choose_engine, start_engine
from regnety.inference.options import RunOptions
from regnety.inference.pipeline import Output, Pipeline
from regnety.inference.tuning import Plan, remembered_plan, tune, untuned_plan

MANY = 64
"""From this many images on a remembered plan is used. If there is none, the first 64 are answered and held back, and
their time says how long the rest will take."""
SAMPLE = 8
"""Images that plans are tried on. After as many answers it may already be clear that the rest takes long."""
LONG_S = 2.0
"""Expected seconds for the rest above which a plan is looked for: the search takes about as long itself, once."""


class Runner:
    """A model ready for images. May be used from several threads.

    Args:
        bundle: the model; its preprocessing says what it is shown.
        options: how it is run.
        outputs: of its graph, those to compute: `logits`, `pre_logits`.

    Raises:
        EngineError: the engine or precision is not here.
        WeightsError: the model takes other than 3 channels.
    """

    def __init__(
        self, bundle: Bundle, options: RunOptions | None = None, *, outputs: tuple[str, ...] = ("logits",)
    ) -> None:
        if bundle.metadata.in_chans != 3:
            raise WeightsError(f"{bundle.name}: takes {bundle.metadata.in_chans} input channels, photographs have 3")
        self.bundle = bundle
        self.options = options = options or RunOptions()
        self.plan: Plan | None = None
        """How the model is run, from the first answer on."""
        self._chosen = choose_engine(options.engine, options.precision, bundle)  # not at the first image
        if ENGINES[self._chosen[0]].runs_graphs and bundle.files is not None:
            # Kept by the bundle, for the files as they are now: by the first image another model may be in their place.
            _ = bundle.files.identity
        self._outputs = outputs
        self._pipelines: dict[Plan, Pipeline] = {}
        self._starting = ProcessLock()
        bind(self)

    @property
    def engine(self) -> Engine | None:
        """What runs the model, as soon as it has started."""
        pipeline = None if self.plan is None else self._pipelines.get(self.plan)
        return None if pipeline is None else pipeline.engine

    def stream(self, sources: Iterable[ImageSource], *, count: float | None = None) -> Iterator[Output]:
        """The outputs of each image, in order, as they are ready; all from one engine in one precision.

        Args:
            sources: images.
            count: how many there are, if that is known and `sources` has no length; infinity for surely many. With
                None every image is answered as it comes, with the plan for a few.
        """
        count = len(sources) if isinstance(sources, Sized) else count
        remaining = iter(sources)
        first = list(islice(remaining, 2))  # two say whether it is a single one, which gets all threads
        if not first:
            return
        plan = untuned_plan(self._chosen, single=len(first) == 1, workers=self.options.workers)
        remaining = chain(first, remaining)
        answered: list[Output] = []
        if count is not None and count >= MANY and ENGINES[plan.engine].tried:
            plan, answered, remaining = self._planned(plan, remaining, count)
        yield from answered
        yield from self._pipeline(plan).stream(remaining)

    def keep_to(self, engine: str, precision: str) -> None:
        """Answer with this engine in this precision only, from now on.

        Raises:
            EngineError: they are unavailable here, or others were asked for when this was made.
            MissingExtraError: the engine is not installed.
        """
        options, chosen = self.options.kept_to(engine, precision), choose_engine(engine, precision, self.bundle)
        row = ENGINES[chosen[0]]
        if not row.is_installed:
            raise row.missing()
        self.options, self._chosen = options, chosen

    def plan_for(self, sources: Iterable[ImageSource], count: float) -> Plan:
        """How `count` images would be answered, of which these are the first."""
        plan = untuned_plan(self._chosen, single=count == 1, workers=self.options.workers)
        if count < MANY or not ENGINES[plan.engine].tried:
            return plan
        return self._planned(plan, iter(sources), count)[0]

    def _planned(
        self, plan: Plan, sources: Iterator[ImageSource], count: float
    ) -> tuple[Plan, list[Output], Iterator[ImageSource]]:
        """The plan for many images, the answers that were needed to find it, and the images that still have none."""
        remembered = remembered_plan(self.bundle, self.options, outputs=self._outputs)
        if remembered is not None:
            return remembered, [], sources
        # Without a remembered plan the first images are answered with the plan for a few. Their answers are held back,
        # as all answers of one call come from one engine: if another one is found faster, they are answered again.
        first = [_readable_again(source) for source in islice(sources, MANY)]
        if len(first) < MANY:  # fewer came than were announced
            return plan, [], iter(first)
        answered, is_long = self._tried(plan, first, count)
        found = None
        if is_long:
            readable = [source for source, output in zip(first, answered, strict=False) if output.error is None]
            found = self._tuned(readable[:SAMPLE])
        if found is not None and (found.engine, found.precision) != (plan.engine, plan.precision):
            return found, [], chain(first, sources)
        return found or plan, answered, chain(first[len(answered) :], sources)

    def _tried(self, plan: Plan, first: list[ImageSource], count: float) -> tuple[list[Output], bool]:
        """The answers to the first images, and whether the rest takes long; if so, some may have no answer yet."""
        answered: list[Output] = []
        begin = time.monotonic()
        after_start = begin
        with closing(self._pipeline(plan).stream(first)) as outputs:
            for output in outputs:
                answered.append(output)
                now = time.monotonic()
                if len(answered) == 1:  # the time until here is mostly the engine's start
                    after_start = now
                elif len(answered) == SAMPLE and (count - SAMPLE) * (now - after_start) / (SAMPLE - 1) > LONG_S:
                    return answered, True
        seconds = (time.monotonic() - begin) / len(first)
        return answered, (count - len(first)) * seconds > LONG_S

    def after_fork(self) -> None:
        """Start the model again in a forked child, at its next image: the engines' threads are the parent's."""
        never_free(self._pipelines)
        self._pipelines = {}
        self.plan = None

    def _tuned(self, sources: list[ImageSource]) -> Plan | None:
        """The fastest plan, tried on these images, read into memory first; None if none of them can be read."""
        images: list[ImageSource] = []
        for source in sources:
            with suppress(ImageError):
                name = source_name(source)
                images.append(source if name is None else NamedImage(name, read_image_file(source)))
        with self._starting:
            self._pipelines.clear()  # each holds an engine, which takes as much memory as the weights
        return tune(self.bundle, images, self._new_pipeline, self.options, outputs=self._outputs)

    def _pipeline(self, plan: Plan) -> Pipeline:
        with self._starting:
            if plan not in self._pipelines:
                self._pipelines[plan] = self._new_pipeline(plan)
            self.plan = plan
            return self._pipelines[plan]

    def _new_pipeline(self, plan: Plan, *, keep_compiled: bool = True) -> Pipeline:
        def start() -> Engine:
            return start_engine(
                self.bundle,
                outputs=self._outputs,
                engine=plan.engine,
                precision=plan.precision,
                threads=plan.threads,
                workers=plan.workers,
                batch=plan.batch,
                keep_compiled=keep_compiled,
            )

        return Pipeline(
            start,
            self.bundle.preprocessing,
            self.options,
            workers=plan.workers,
            batch=plan.batch,
            name=self.bundle.name,
        )


def _readable_again(source: ImageSource) -> ImageSource:
    """The bytes of an open file, which can be read only once."""
    return source.read() if hasattr(source, "read") and not isinstance(source, StoredImage) else source
