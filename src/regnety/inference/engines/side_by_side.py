"""Several single-threaded runs side by side instead of one run over all cores.

For a batch that is the faster way in ONNX Runtime and OpenVINO: nothing waits at the end of a layer for the slowest
core, and what a run works on stays in the caches of one core (`benchmarks/model_alone.py`).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.inference.engines.registry import Engine


class SideBySideEngine:
    """An engine that cuts a batch into pieces, which another engine runs with one thread each.

    Args:
        engine: was made for that many workers with one thread each; its batch is the size of a piece, 1 if it is free.
            A smaller last piece is filled up with black images, whose outputs are dropped.
        workers: pieces in work at a time.
    """

    def __init__(self, engine: Engine, *, workers: int) -> None:
        self.name = engine.name
        self.version = engine.version
        self.precision = engine.precision
        self.output_names = engine.output_names
        self.input_shape: tuple[int | None, ...] = (None, *engine.input_shape[1:])
        self.input_dtype = engine.input_dtype
        self._engine = engine
        self._piece = engine.input_shape[0] or 1  # a free batch is run image by image
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="regnety")

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """A batch of images of any number -> every output by its name, in their order."""
        pieces = [images[start : start + self._piece] for start in range(0, len(images), self._piece)]
        if pieces and (missing := self._piece - len(pieces[-1])):
            # The engine is compiled for whole pieces.
            filling = np.zeros((missing, *images.shape[1:]), images.dtype)
            pieces[-1] = np.concatenate([pieces[-1], filling])
        answers = list(self._pool.map(self._engine.run, pieces))
        return {name: np.concatenate([answer[name] for answer in answers])[: len(images)] for name in self.output_names}
