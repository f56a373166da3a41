"""From the bytes of images to a model's outputs: read, decode, resize and infer, in order, on all cores.

Everything that asks a model about images goes through here. A task is a few images from their bytes to their outputs,
in one thread: as many as the engine takes in one run, most often one. Tasks overlap, so that while one thread waits
for a disk or a network another one decodes and a third infers; none waits for a neighbour's image, an unreadable image
has its own error, and no answer can take another's place. So many tasks are ahead of whoever takes the answers, and no
more: memory is flat. The first images are read while the engine starts.
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
"""Tasks in work or waiting to be taken, per worker: bounds the memory, whatever the number of images."""
READ_AT_START = 64
"""Images that are read while the engine starts, at most."""

Pixels: TypeAlias = npt.NDArray[np.uint8]
Loaded: TypeAlias = list[tuple[ImageSource, Pixels | ImageError]]
"""Images of a task, as the model is shown them."""


@dataclass(frozen=True, slots=True)
class Output:
    """What came of one image: the model's outputs, or why there are none."""

    filename: str | None
    """None for an image that was not a file."""
    outputs: dict[str, npt.NDArray[np.float32]] | None
    """By name, without the batch dimension."""
    error: ImageError | None = None


class Pipeline:
    """A model that is ready to be asked about images.

    Args:
        start: starts the engine, a compiled graph with a uint8 input; called once, when there is something to run.
        preprocessing: what the model is shown.
        options: the way to the pixels, orientation and limit; the plan's workers count, not theirs.
        workers: threads; more than one wants an engine with single-threaded runs.
        batch: images in a run of the engine, which is compiled for as many.
        name: how messages call the model.
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
        """As soon as it has started."""
        self._start = start
        self._starting = ProcessLock()
        self._preprocessing = preprocessing
        self._options = options
        self._workers = workers
        self._batch = batch
        self._name = name

    def stream(self, sources: Iterable[ImageSource]) -> Generator[Output]:
        """One output for each source, in their order, as soon as it is there, while later ones are in work.

        Raises:
            EngineError: the engine cannot be started, or fails; or the stream was carried into a forked process, where
                the threads are not that work on it.
            WeightsError: the model's graph cannot be loaded, or what it answers are not finite numbers.
        """
        process = os.getpid()
        tasks = _in_groups(sources, self._batch)
        with closing(self._one_by_one(tasks) if self._workers == 1 else self._side_by_side(tasks)) as groups:
            for group in groups:
                for output in group:
                    yield output
                    if os.getpid() != process:
                        raise EngineError(
                            "these answers were begun in the process that forked this one; ask the model anew here"
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
                self._started()  # in this thread: OpenVINO's first run must be over before another thread's begins
                waiting += [pool.submit(self._infer_loaded, loading) for loading in begun]
            for task in tasks:
                waiting.append(pool.submit(self._answer, task))
                while waiting and (waiting[0].done() or len(waiting) >= TASKS_AHEAD * self._workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if os.getpid() == process:  # in a forked child the pool has no threads to end
                pool.shutdown(cancel_futures=True)

    def _started(self) -> Engine:
        with self._starting:
            if self.engine is None:
                self.engine = self._start()
            return self.engine

    def _answer(self, task: list[ImageSource]) -> list[Output]:
        return self._infer(self._load(task))

    def _infer_loaded(self, loading: "Future[Loaded]") -> list[Output]:
        """Of a task that was begun before the engine was there; those come first, so that this never waits for long."""
        return self._infer(loading.result())

    def _load(self, task: list[ImageSource]) -> Loaded:
        return [(source, self._pixels(source)) for source in task]

    def _pixels(self, source: ImageSource) -> Pixels | ImageError:
        """The pixels of one image as the model is shown them, [image_size, image_size, 3]; or why there are none."""
        try:
            return load_pixels(
                source,
                self._preprocessing,
                way=self._options.pixels,
                exif_orientation=self._options.exif_orientation,
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
        """The outputs of up to a batch of images; the engine is always given as many as it was compiled for."""
        if not images:
            return
        if self._batch == 1:
            batch = images[0][None]
        else:
            batch = np.zeros((self._batch, *images[0].shape), np.uint8)
            np.stack(images, out=batch[: len(images)])
        outputs = self._started().run(batch)
        for row in range(len(images)):
            # Here, where whatever any engine says passes: nobody is to take what is not a number for an answer.
            if not all(np.isfinite(value[row]).all() for value in outputs.values()):
                raise WeightsError(f"{self._name}: its answers are not finite numbers; its weights are damaged")
            yield {name: value[row] for name, value in outputs.items()}


def _in_groups(sources: Iterable[ImageSource], size: int) -> Iterator[list[ImageSource]]:
    """`size` sources at a time, the last ones fewer."""
    remaining = iter(sources)
    while group := list(islice(remaining, size)):
        yield group
