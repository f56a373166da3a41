"""What was written, read back and held against its source, tensor by tensor and byte by byte.

No more than a layer is in memory at a time, however large the model is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from regnety.bundle.bundle import Bundle
from regnety.errors import ExportError
from regnety.graph.assembly import assemble
from regnety.graph.metadata import KEY, metadata_from_json
from regnety.graph.onnx_files import read_onnx
from regnety.graph.stored_graph import StoredGraph
from regnety.weights.checkpoint import open_checkpoint
from regnety.weights.files.arrays import Array

COMPARED_AT_A_TIME = 1 << 20
"""Elements."""


def compare_checkpoint(path: Path, bundle: Bundle, *, dtype: str | None = None) -> None:
    """Read a checkpoint as anybody's and compare every tensor with the model's.

    Args:
        path: a file of any dialect.
        bundle: its source.
        dtype: the floating-point type that the file was to have; None is the model's own.

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
    """Read an ONNX file, fold the model's weights once more, and compare every array; and what the file says of itself.

    Args:
        path: an ONNX file in float32.
        bundle: its source.
        outputs: names of its outputs.

    Raises:
        ExportError: an array is missing or differs, or labels or preprocessing do.
        WeightsError: the file cannot be read.
    """
    graph = read_onnx(path)
    if metadata_from_json(graph.properties.get(KEY, ""), source=path.name) != bundle.metadata:
        raise ExportError(f"{path.name}: its labels or preprocessing are not the model's; nothing was kept")
    assemble(
        bundle.architecture,
        bundle.weights,
        bundle.metadata,
        _Compared(graph),
        input_kind="uint8",
        image_size=bundle.preprocessing.image_size,
        outputs=outputs,
        dtype="float32",
    )


class _Compared:
    """Stands where a graph in the making would keep its arrays, and finds each of them in a file."""

    def __init__(self, graph: StoredGraph) -> None:
        self._graph = graph

    def add(self, name: str, array: Array) -> onnx.TensorProto:
        arrays = self._graph.arrays
        if name not in arrays or not _same(arrays[name].read(), array, array.dtype):
            raise ExportError(f"{self._graph.path.name}: {name} is not the model's; nothing was kept")
        return onnx.TensorProto(name=name)


def _same(found: Array, wanted: Array, dtype: np.dtype[Any]) -> bool:
    """Whether one array has the other's shape and, converted to `dtype`, its bytes: NaN is a value like any other."""
    if (found.shape, found.dtype) != (wanted.shape, dtype):
        return False
    found, wanted = np.atleast_1d(found), np.atleast_1d(wanted)
    rows = max(1, COMPARED_AT_A_TIME // max(1, found[0].size)) if len(found) else 1
    return all(
        found[start : start + rows].tobytes() == wanted[start : start + rows].astype(dtype, copy=False).tobytes()
        for start in range(0, len(found), rows)
    )
