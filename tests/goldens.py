"""The figures in tests/golden, and the weights and the input that belong to its forward runs."""

import gzip
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent / "golden"


def models(name: str) -> dict[str, Any]:
    """Model to figures, out of a JSON file that also names its source."""
    figures: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))["models"]
    return figures


def state_dict_shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    """Model to key to shape, in order."""
    models = json.loads(gzip.decompress((FOLDER / "state_dict_shapes.json.gz").read_bytes()))
    return {name: {key: tuple(shape) for key, shape in shapes.items()} for name, shapes in models.items()}


def forward(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Logits [1000] and pooled features [num_features] of a model."""
    with np.load(FOLDER / "forward_goldens.npz") as arrays:
        return arrays[f"{name}/logits"], arrays[f"{name}/pooled"]


def forward_images() -> npt.NDArray[np.float64]:
    """The input of the forward runs, [1, 3, 224, 224]."""
    return np.random.RandomState(0).standard_normal((1, 3, 224, 224))


def forward_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[Any]]:
    """The weights of the forward runs: a rule that knows nothing but keys and shapes."""
    return {key: _weight(key, shape) for key, shape in shapes.items()}


def _weight(key: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if key.endswith("num_batches_tracked"):
        return np.array(0)
    values = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) == 4:
        return values * math.sqrt(2 / math.prod(shape[1:]))
    if len(shape) == 2:
        return values / math.sqrt(shape[1])
    if key.endswith("running_var"):
        return 0.75 + 0.5 * np.abs(values)
    if key.endswith("bn.weight"):
        return (1 + 0.1 * values) * (0.3 if ".conv3." in key else 1)
    return 0.1 * values
