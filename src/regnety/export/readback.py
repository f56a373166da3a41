"""A written file, read back and compared with its source, tensor by tensor and byte by byte.

Memory holds one layer at a time, however large the model is.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.errors import ExportError
from regnety.files.arrays import Array
from regnety.graph.assembly import assemble
from regnety.graph.onnx_files import read_onnx
from regnety.metadata.model_metadata import KEY, metadata_from_json
from regnety.weights.checkpoint import open_checkpoint

COMPARED_AT_A_TIME = 1 << 20
"""Elements of a tensor: converted and copied whole, the largest would take gigabytes."""


def compare_checkpoint(path: Path, bundle: Bundle, *, dtype: str | None = None) -> None:
    """Read a checkpoint like a stranger's file and compare every tensor with the model's.

    Args:
        path: a file of any dialect.
        bundle: its source.
        dtype: the floating-point type that the file should have; None is the model's own.

    Raises:
        ExportError: a tensor is missing or differs.
        WeightsError: the file cannot be read.
    """
    weights = open_checkpoint(path).weights
    for key in bundle.weights:
        wanted = np.asarray(bundle.weights[key])
        wanted_dtype = np.dtype(dtype) if dtype and wanted.dtype.kind == "f" else wanted.dtype
        if key not in weights or not _same(weights[key], wanted, wanted_dtype):
            raise ExportError(f"{path.name}: {key} is not the model's; nothing was kept")


def compare_graph(path: Path, bundle: Bundle, *, outputs: Sequence[str]) -> None:
    """Read an ONNX file, fold the model's weights again, and compare every array and the metadata.

    Args:
        path: an ONNX file in f32.
        bundle: its source.
        outputs: names of its outputs.

    Raises:
        ExportError: an array is missing or differs, or labels or preprocessing do.
        WeightsError: the file cannot be read.
    """
    graph = read_onnx(path)
    if metadata_from_json(graph.properties.get(KEY, ""), source=path.name) != bundle.metadata:
        raise ExportError(f"{path.name}: its labels or preprocessing are not the model's; nothing was kept")
    assembly = assemble(
        bundle.architecture,
        bundle.weights,
        bundle.metadata,
        input_kind="uint8",
        image_size=bundle.preprocessing.image_size,
        outputs=outputs,
        dtype="float32",
    )
    for array in assembly.arrays:
        if array.name not in graph.arrays or not _same(graph.arrays[array.name].read(), array.values(), array.dtype):
            raise ExportError(f"{path.name}: {array.name} is not the model's; nothing was kept")


def _same(found: Array, wanted: Array, dtype: npt.DTypeLike) -> bool:
    """Whether one array has the other's shape and, converted to `dtype`, its bytes."""
    # Bytes, and not values: a NaN in the model must be the same NaN in the file.
    if (found.shape, found.dtype) != (wanted.shape, dtype):
        return False
    found, wanted = np.atleast_1d(found), np.atleast_1d(wanted)
    rows = max(1, COMPARED_AT_A_TIME // max(1, found[0].size)) if len(found) else 1
    return all(
        found[start : start + rows].tobytes() == wanted[start : start + rows].astype(dtype, copy=False).tobytes()
        for start in range(0, len(found), rows)
    )
