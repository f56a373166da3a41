"""From the bytes of images to a model's outputs: read, decode, resize and infer, in order, on all cores.

Everything that asks a model about images goes through here. Each image is one task from its bytes to its outputs, so
that nothing waits for a batch to fill, an unreadable image has its own error, and no answer can take another's place.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.errors import ImageError
from regnety.images.formats import MAX_PIXELS
from regnety.images.pixels import load_pixels
from regnety.images.sources import ImageSource, source_name
from regnety.inference.engines.engine import Engine
from regnety.preprocessing import Preprocessing

TASKS_AHEAD = 4
"""Images in work or waiting to be taken, per worker: bounds the memory, whatever the number of images."""


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
        engine: the compiled graph, with a uint8 input.
        preprocessing: what the model wants to be shown.
        workers: threads; more than one wants an engine with single-threaded runs.
        exact: Pillow's pixels; else the fast way to them.
        exif_orientation: turn pictures upright; None is what the model was trained with.
        max_pixels: width times height above which a picture is refused before it is decoded.
    """

    def __init__(
        self,
        engine: Engine,
        preprocessing: Preprocessing,
        *,
        workers: int = 1,
        exact: bool = False,
        exif_orientation: bool | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.engine = engine
        self._preprocessing = preprocessing
        self._workers = workers
        self._exact = exact
        self._exif_orientation = exif_orientation
        self._max_pixels = max_pixels

    def stream(self, sources: Iterable[ImageSource]) -> Iterator[Output]:
        """One output for each source, in their order, as soon as it is there, while later ones are in work."""
        if self._workers == 1:
            yield from map(self._answer, sources)
            return
        waiting: deque[Future[Output]] = deque()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="regnety") as pool:
            try:
                for source in sources:
                    waiting.append(pool.submit(self._answer, source))
                    while waiting and (waiting[0].done() or len(waiting) >= TASKS_AHEAD * self._workers):
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _answer(self, source: ImageSource) -> Output:
        name = source_name(source)
        try:
            pixels = load_pixels(
                source,
                self._preprocessing,
                exact=self._exact,
                exif_orientation=self._exif_orientation,
                max_pixels=self._max_pixels,
            )
        except ImageError as error:
            return Output(name, None, error)
        outputs = self.engine.run(pixels[None])
        return Output(name, {key: value[0] for key, value in outputs.items()})
