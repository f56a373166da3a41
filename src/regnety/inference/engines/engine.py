"""What every engine offers."""

import os
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Precision = Literal["f32", "bf16", "int8"]
"""`int8` is of graphs that are quantized and of no others; what is not quantized in them computes in floating point."""


class Engine(Protocol):
    """A compiled graph. `run` may be called from several threads at once."""

    name: str
    """`onnxruntime`, `openvino` or `torch`."""
    version: str
    """Of the library."""
    precision: Precision
    """What it computes in."""
    output_names: tuple[str, ...]
    input_shape: tuple[int | None, ...]
    """[batch, height, width, channels] if uint8, [batch, channels, height, width] if float; None is free."""
    input_dtype: np.dtype[Any]

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """A batch of images -> every output by its name."""


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
