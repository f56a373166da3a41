"""ONNX Runtime: always installed, and the quickest to start."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.errors import EngineError
from regnety.graph.onnx_session import VERSION, open_session
from regnety.inference.engines.registry import Precision
from regnety.text import one_line

DTYPES: dict[str, np.dtype[Any]] = {"tensor(uint8)": np.dtype(np.uint8), "tensor(float)": np.dtype(np.float32)}


class OnnxRuntimeEngine:
    """A session of ONNX Runtime on the processor, in f32, or in int8 if the graph is quantized.

    Args:
        graph: an ONNX file, or a model's bytes.
        threads: threads within one run; 1 is best if several threads call `run` at once.
        workers: how many threads will call `run` at once; a session serves any number.
        batch: fixes the batch before the graph is compiled; None leaves it free.
        precision: `int8` says that the graph is quantized.
        cache: not used: a session has nothing worth keeping.
        identity: not used either.

    Raises:
        WeightsError: the graph cannot be loaded.
    """

    name = "onnxruntime"
    version: str = VERSION

    def __init__(
        self,
        graph: Path | bytes,
        *,
        threads: int,
        workers: int = 1,
        batch: int | None = None,
        precision: Precision = "f32",
        cache: Path | None = None,
        identity: str | None = None,
    ) -> None:
        self.precision: Precision = precision
        self._session = open_session(graph, threads=threads, batch=batch)
        (image_input,) = self._session.get_inputs()
        self._input_name = image_input.name
        self.input_dtype = DTYPES[image_input.type]
        self.input_shape = tuple(side if isinstance(side, int) else None for side in image_input.shape)
        self.output_names = tuple(output.name for output in self._session.get_outputs())

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """A batch of images -> every output by its name.

        Raises:
            EngineError: it cannot be run.
        """
        try:
            outputs = self._session.run(None, {self._input_name: images})
        except (
            Exception
        ) as error:  # the bindings have no common class; most often memory is short, at thousands of pixels
            reason = one_line(error)
            raise EngineError(f"ONNX Runtime cannot run the model on {images.shape}: {reason}") from error
        return dict(zip(self.output_names, outputs, strict=True))
