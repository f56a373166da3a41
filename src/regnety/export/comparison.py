"""An exported file compared with its source: both answer the same pictures.

The source is the model in f32 with a free size and a normalised input, and its pixels are normalised here, in NumPy. So
a file with a wrong normalisation, size, order of channels or outputs differs too, not only a damaged one.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.errors import ExportError
from regnety.files.arrays import relative_difference
from regnety.graph.builder import write_graph
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.processor import available_cores
from regnety.inference.engines.registry import Engine
from regnety.text import one_line

BOUNDS = {"f32": 1e-4, "f16": 5e-2}
"""Largest difference of a file with such weights, in standard deviations of the source's output."""

Outputs = list[dict[str, npt.NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and how it was checked."""

    path: Path
    """The file or folder that was asked for."""
    files: tuple[Path, ...]
    """All that were written, the main one first."""
    input_dtype: str
    """`uint8` takes pixels [batch, height, width, channels]; `float32` normalised [batch, channels, height, width]."""
    input_shape: tuple[int | None, ...]
    """None is free."""
    output_shapes: dict[str, tuple[int, ...]]
    """By name, without the batch."""
    engine: str
    """What ran the file for the comparison: `onnxruntime 1.32.0`."""
    largest_difference: float
    """From the source, in standard deviations of the output."""
    precision: Literal["f32", "int8"] = "f32"
    """In which the source was run: `int8` if the model is quantized."""


def sample_pictures(image_size: int, in_chans: int) -> list[npt.NDArray[np.uint8]]:
    """Noise, and pictures with the soft shades and hard edges of photographs: uint8 [1, size, size, in_chans].

    Noise alone would leave untested what photographs have most of, their low frequencies.
    """
    generator = np.random.default_rng(0)  # the same pictures each time: a file passes or fails for good
    shape = (image_size, image_size, in_chans)
    noise = generator.integers(0, 256, shape, np.uint8)
    position = np.linspace(0, 1, image_size)
    pictures = [noise]
    for _ in range(3):
        waves = generator.uniform(0.5, 6, (3, in_chans))
        down = np.sin(2 * math.pi * (position[:, None, None] * waves[0] + waves[2]))
        across = np.sin(2 * math.pi * (position[None, :, None] * waves[1] - waves[2]))
        values = 127 + 60 * down + 60 * across
        first, last = sorted(generator.integers(0, image_size, 2))
        values[first : last + 1, first : last + 1] = generator.uniform(0, 255, in_chans)
        pictures.append((values + generator.normal(0, 6, shape)).clip(0, 255).astype(np.uint8))
    return [picture[None] for picture in pictures]


def source_outputs(bundle: Bundle, pictures: Sequence[npt.NDArray[np.uint8]], names: Sequence[str]) -> Outputs:
    """The model's own outputs, in f32."""
    with tempfile.TemporaryDirectory(prefix="regnety-") as folder:
        graph = write_graph(
            Path(folder) / "source.onnx",
            bundle.architecture,
            bundle.weights,
            input="float",  # normalised here in NumPy, so that the file's own normalisation is tested too
            outputs=names,
            preprocessing=bundle.preprocessing,
        )
        engine = OnnxRuntimeEngine(graph, threads=available_cores())
    return [engine.run(_normalized(picture, bundle)) for picture in pictures]


def largest_difference(
    engine: Engine, bundle: Bundle, pictures: Sequence[npt.NDArray[np.uint8]], wanted: Outputs
) -> float:
    """Run an exported file and compare every output.

    Args:
        engine: an engine that has loaded the file.
        bundle: its source.
        pictures: uint8 [1, height, width, in_chans].
        wanted: `source_outputs` for the same pictures.

    Returns:
        The largest difference, in standard deviations of the output; NaN where a value is not finite.

    Raises:
        ExportError: the file cannot be run, or has other outputs than the source.
    """
    floats = engine.input_dtype == np.float32
    inputs = [_normalized(picture, bundle) if floats else picture for picture in pictures]
    try:
        found = [engine.run(image) for image in inputs]
    except Exception as error:  # each engine raises its own classes, which have no public base
        raise ExportError(f"cannot be run: {one_line(error)}") from error
    differences = []
    for name in wanted[0]:
        if name not in found[0]:
            raise ExportError(f"has no output {name}")
        outputs, sources = (np.concatenate([answers[name] for answers in part]) for part in (found, wanted))
        if outputs.shape != sources.shape:
            raise ExportError(f"gives {name} of shape {outputs.shape[1:]}, its source gives {sources.shape[1:]}")
        differences.append(relative_difference(outputs, sources))
    return float(np.max(differences))  # NumPy's max keeps NaN, which Python's loses


def _normalized(picture: npt.NDArray[np.uint8], bundle: Bundle) -> npt.NDArray[Any]:
    """uint8 [N, H, W, C] -> float32 [N, C, H, W]."""
    mean, std = np.array(bundle.preprocessing.mean), np.array(bundle.preprocessing.std)
    values = (picture / 255 - mean) / std  # in float64, rounded once at the end
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
