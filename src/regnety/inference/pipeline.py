"""From the bytes of images to a model's outputs: read, decode, resize and infer, in order, on all cores.

Everything that runs a model on images goes through here. A task takes a few images from their bytes to their outputs in
one thread: as many as the engine takes in one run, most often one. Tasks overlap: while one thread waits for a disk or
a network, another one decodes and a third infers. An unreadable image has its own error and does not hold up the
others. The number of tasks ahead of the caller is bounded, so memory use does not grow with the number of images. The
first images are read while the engine starts.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.errors import EngineError, ImageError, WeightsError
from regnety.forks import ProcessLock
from regnety.images.pixels import load_pixels
from regnety.images.sources import ImageSource, source_name
from regnety.inference.engines.registry import Engine
from regnety.inference.options import RunOptions
from regnety.preprocessing import Preprocessing

TASKS_AHEAD = 4
"""Tasks in work, or done and not yet taken, per worker: bounds the memory."""
READ_AT_START = 64
"""Images read while the engine starts, at most: each is then held as pixels, 150 kB at 224."""

Pixels: TypeAlias = npt.NDArray[np.uint8]
Loaded: TypeAlias = list[tuple[ImageSource, Pixels | ImageError]]
"""The images of a task, as the model is shown them."""


@dataclass(frozen=True, slots=True)
class Output:
    """The model's outputs for one image, or why there are none."""

    filename: str | None
    """None for an image that was not a file."""
    outputs: dict[str, npt.NDArray[np.float32]] | None
    """By name, without the batch dimension."""
    error: ImageError | None = None


class Pipeline:
    """A model ready for images.

    Args:
        start: starts the engine, whose input is uint8; called once, when there is something to run.
        preprocessing: what the model is shown.
        options: how images are read; how many workers there are does not come from here.
        workers: threads; with more than one the engine's runs should be single-threaded.
        batch: images in a run of the engine, which is compiled for that many.
        name: the model's, in messages.
    """

    def __init__(
        self,
        start: Callable[[], Engine],
        preprocessing: Preprocessing,
        options: RunOptions,
        *,
        workers: int = 1,
        batch: int = 1,
        name: str = "model",
    ) -> None:
        self.engine: Engine | None = None
        """Once it has started."""
        self._start = start
        self._starting = ProcessLock()
        self._preprocessing = preprocessing
        self._options = options
        self._workers = workers
        self._batch = batch
        self._name = name

    def stream(self, sources: Iterable[ImageSource]) -> Generator[Output]:
        """One output for each source, in their order, while later ones are in work.

        Raises:
            EngineError: the engine cannot be started, or fails; or the stream was carried into a forked process, which
                does not have the threads that work on it.
            WeightsError: the model's graph cannot be loaded, or its outputs are not finite numbers.
        """
        process = os.getpid()
        tasks = _in_groups(sources, self._batch)
        with closing(self._one_by_one(tasks) if self._workers == 1 else self._side_by_side(tasks)) as groups:
            for group in groups:
                for output in group:
                    yield output
                    if os.getpid() != process:
                        raise EngineError(
                            "these answers were begun in the process that forked this one; ask the model again here"
                        )

    def _one_by_one(self, tasks: Iterator[list[ImageSource]]) -> Generator[list[Output]]:
        for task in tasks:
            yield self._infer(self._load(task))

    def _side_by_side(self, tasks: Iterator[list[ImageSource]]) -> Generator[list[Output]]:
        process = os.getpid()
        waiting: deque[Future[list[Output]]] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="regnety")
        try:
            if self.engine is None:
                begun = [pool.submit(self._load, task) for task in islice(tasks, READ_AT_START // self._batch)]
                # In this thread: OpenVINO's first run must be over before another thread's begins.
                self._start_once()
                waiting += [pool.submit(self._infer_loaded, loading) for loading in begun]
            for task in tasks:  # which may come from a slow generator: what is done is yielded in between
                waiting.append(pool.submit(self._answer, task))
                while waiting and (waiting[0].done() or len(waiting) >= TASKS_AHEAD * self._workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if os.getpid() == process:  # in a forked child the pool has no threads to end
                pool.shutdown(cancel_futures=True)

    def _start_once(self) -> Engine:
        with self._starting:
            if self.engine is None:
                self.engine = self._start()
            return self.engine

    def _answer(self, task: list[ImageSource]) -> list[Output]:
        return self._infer(self._load(task))

    def _infer_loaded(self, loading: "Future[Loaded]") -> list[Output]:
        # The loading tasks were submitted first, so one that a worker waits for here is done or at work in another.
        return self._infer(loading.result())

    def _load(self, task: list[ImageSource]) -> Loaded:
        return [(source, self._pixels(source)) for source in task]

    def _pixels(self, source: ImageSource) -> Pixels | ImageError:
        """The pixels of one image, [image_size, image_size, 3], or why there are none."""
        try:
            return load_pixels(
                source,
                self._preprocessing,
                way=self._options.pixel_way,
                exif_orientation=self._options.is_turned_upright,
                max_pixels=self._options.max_pixels,
            )
        except ImageError as error:
            return error

    def _infer(self, loaded: Loaded) -> list[Output]:
        answers = self._run([pixels for _, pixels in loaded if isinstance(pixels, np.ndarray)])
        return [
            Output(source_name(source), None, found)
            if isinstance(found, ImageError)
            else Output(source_name(source), next(answers))
            for source, found in loaded
        ]

    def _run(self, images: list[Pixels]) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
        """The outputs of up to a batch of images."""
        if not images:
            return
        if self._batch == 1:
            batch = images[0][None]
        else:  # the engine is compiled for the whole batch: the last one is filled up with black
            batch = np.zeros((self._batch, *images[0].shape), np.uint8)
            np.stack(images, out=batch[: len(images)])
        outputs = self._start_once().run(batch)
        for row in range(len(images)):
            # Checked here, where the outputs of all engines pass: NaN must not be taken for an answer.
            if not all(np.isfinite(value[row]).all() for value in outputs.values()):
                raise WeightsError(f"{self._name}: its answers are not finite numbers; its weights are damaged")
            yield {name: value[row] for name, value in outputs.items()}


def _in_groups(sources: Iterable[ImageSource], size: int) -> Iterator[list[ImageSource]]:
    """`size` sources at a time, and those that remain."""
    remaining = iter(sources)
    while group := list(islice(remaining, size)):
        yield group
