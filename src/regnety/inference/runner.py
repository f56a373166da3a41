"""A model on the engine that suits the work: one image, a few, or so many that it pays to find out which is fastest."""

import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import ImageError, WeightsError
from regnety.images.formats import MAX_PIXELS
from regnety.images.pixels import PIXEL_WAYS, PixelWay
from regnety.images.sources import ImageSource, NamedImage, read_image_file
from regnety.inference.engines.engine import Engine
from regnety.inference.engines.selection import choose_engine, start_engine
from regnety.inference.pipeline import Output, Pipeline
from regnety.inference.tuning import Plan, remembered_plan, tune, untuned_plan

MANY = 64
"""Images from which on a plan that is remembered is followed, and after which the time of the rest is estimated."""
SAMPLE = 8
"""Images on which plans are tried."""
LONG_S = 2.0
"""Expected seconds of the rest above which it pays to find a plan, which takes as long, once."""


class Runner:
    """A model that is ready to be asked about images. May be used from several threads.

    Args:
        bundle: the model; its preprocessing says what it is shown.
        outputs: which of the graph's outputs are wanted: `logits`, `pre_logits`.
        engine: one of `ENGINES`; `auto` is ONNX Runtime for a few images, and for many what is fastest here.
        precision: one of `PRECISIONS`; `auto` is bf16 where the processor has it and an engine with it is taken.
        workers: threads, each with a single-threaded run of its own; None is one for each core, and for a single image
            one run on all cores.
        pixels: the way to them, one of `PIXEL_WAYS`.
        exif_orientation: turn photographs upright as their EXIF orientation says.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        EngineError: there is no such engine or precision, or not here.
        ValueError: `workers` or `max_pixels` is below 1, or there is no such way to pixels.
        WeightsError: the model takes other than 3 channels.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        outputs: tuple[str, ...] = ("logits",),
        engine: str = "auto",
        precision: str = "auto",
        workers: int | None = None,
        pixels: PixelWay = "fast",
        exif_orientation: bool = True,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise ValueError(f"workers must be a whole number of at least 1, got {workers!r}")
        if not isinstance(max_pixels, int | np.integer) or max_pixels < 1:
            raise ValueError(f"max_pixels must be a whole number of at least 1, got {max_pixels!r}")
        if pixels not in PIXEL_WAYS:
            raise ValueError(f"pixels must be one of {', '.join(PIXEL_WAYS)}, got {pixels!r}")
        if bundle.metadata.in_chans != 3:
            raise WeightsError(f"{bundle.name}: takes {bundle.metadata.in_chans} input channels, photographs have 3")
        self.bundle = bundle
        self.plan: Plan | None = None
        """How the model is run, from the first image on; it may be another way later, where there are many."""
        name, _ = choose_engine(engine, precision, bundle)  # says at once what is not to be had
        if name != "torch" and bundle.files is not None:
            _ = bundle.files.identity  # of what is there now, whatever comes to its place before the first image
        self._outputs = outputs
        self._engine_name = engine
        self._precision = precision
        self._workers = workers
        self._way: PixelWay = pixels
        self._exif_orientation = exif_orientation
        self._max_pixels = max_pixels
        self._pipelines: dict[Plan, Pipeline] = {}
        self._starting = threading.Lock()

    @property
    def engine(self) -> Engine | None:
        """What runs the model, as soon as it has started."""
        pipeline = None if self.plan is None else self._pipelines.get(self.plan)
        return None if pipeline is None else pipeline.engine

    def stream(self, sources: Iterable[ImageSource], *, count: float | None = None) -> Iterator[Output]:
        """The outputs of each image, in order, as they are ready.

        Args:
            sources: images, as many as there are.
            count: how many, where it is known and `sources` has no length; infinity where they are surely many. With
                None every image is answered as it comes, by what is taken for a few.
        """
        count = len(sources) if isinstance(sources, Sized) else count
        remaining = iter(sources)
        first = list(islice(remaining, 2))
        if not first:
            return
        plan = untuned_plan(
            self._engine_name, self._precision, single=len(first) == 1, workers=self._workers, bundle=self.bundle
        )
        remaining = chain(first, remaining)
        if count is not None and count >= MANY and plan.engine != "torch":
            remembered = remembered_plan(
                self.bundle, self._engine_name, self._precision, workers=self._workers, outputs=self._outputs
            )
            if remembered is None:
                begin = time.monotonic()
                yield from self._pipeline(plan).stream(islice(remaining, MANY))
                if (count - MANY) * (time.monotonic() - begin) / MANY > LONG_S:
                    sample = list(islice(remaining, SAMPLE))
                    remembered = self._tuned(sample)
                    remaining = chain(sample, remaining)
            plan = remembered or plan
        yield from self._pipeline(plan).stream(remaining)

    def _tuned(self, sources: list[ImageSource]) -> Plan | None:
        """The fastest plan, tried on these images as they are in memory; None where none of them can be read."""
        images: list[ImageSource] = []
        for source in sources:
            with suppress(ImageError):
                if isinstance(source, str | Path):
                    images.append(NamedImage(str(source), read_image_file(source)))
                elif not hasattr(source, "read"):  # what is open can be read once only
                    images.append(source)
        with self._starting:
            self._pipelines.clear()  # an engine in memory is as large as its weights
        return tune(
            self.bundle,
            images,
            self._new_pipeline,
            self._engine_name,
            self._precision,
            workers=self._workers,
            outputs=self._outputs,
        )

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
            workers=plan.workers,
            batch=plan.batch,
            pixels=self._way,
            exif_orientation=self._exif_orientation,
            max_pixels=self._max_pixels,
            name=self.bundle.name,
        )
