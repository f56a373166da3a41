"""The weights of a graph that regnety wrote, under the keys of a checkpoint.

A graph has no batch norm: `graph.assembly` folded it into the convolutions. What comes back is the folded kernel, and
a norm that only adds the folded bias, so network, graph and bundle take it like any other checkpoint and compute the
same.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from regnety.architecture.description import Architecture
from regnety.architecture.layers import BATCH_NORM_EPS, ConvNorm
from regnety.errors import WeightsError
from regnety.files.arrays import Array
from regnety.graph.stored_graph import StoredArray, StoredGraph

IDENTITY_NORM = {"weight": 1.0, "running_mean": 0.0, "running_var": 1 - BATCH_NORM_EPS}
"""1 / sqrt(running_var + eps) is exactly 1 in float64, so folding a float32 kernel again leaves it unchanged."""


class ExtractedWeights(Mapping[str, Array]):
    """Key to array, in the file's number type; each is read when it is asked for.

    Args:
        architecture: the network whose graph it is.
        graph: the file; its arrays have the names that `graph.assembly` gave them.

    Raises:
        WeightsError: a layer is not in the file.
    """

    def __init__(self, architecture: Architecture, graph: StoredGraph) -> None:
        self._graph = graph
        self._arrays: dict[str, StoredArray] = {}
        self._norms: dict[str, tuple[int, ...]] = {}
        for layer in architecture.layers():
            keys = layer.state_dict_shapes()
            if isinstance(layer, ConvNorm):
                self._arrays[f"{layer.name}.conv.weight"] = self._array(f"{layer.name}.weight")
                # The folded bias is all that is left of the norm.
                self._arrays[f"{layer.name}.bn.bias"] = self._array(f"{layer.name}.bias")
                self._norms.update({key: shape for key, shape in keys.items() if key not in self._arrays})
            else:
                self._arrays.update({key: self._array(key) for key in keys})
        self._keys = dict.fromkeys(architecture.state_dict_shapes())

    def __getitem__(self, key: str) -> Array:
        if key in self._arrays:
            try:
                return self._arrays[key].read()
            except WeightsError as error:
                raise WeightsError(f"{self._graph.path}: {error}") from None
        shape, parameter = self._norms[key], key.rpartition(".")[2]
        if parameter == "num_batches_tracked":
            # Only training counts batches; torch expects the key all the same.
            return np.zeros(shape, np.int64)
        return np.full(shape, IDENTITY_NORM[parameter], np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def shape(self, key: str) -> tuple[int, ...]:
        """An array's shape, without reading it."""
        return self._arrays[key].shape if key in self._arrays else self._norms[key]

    def _array(self, name: str) -> StoredArray:
        if name in self._graph.arrays:
            return self._graph.arrays[name]
        # An exported feature extractor ends early: its later layers were never written.
        if self._graph.outputs and "logits" not in self._graph.outputs:
            raise WeightsError(
                f"{self._graph.path}: has the outputs {', '.join(self._graph.outputs)} and not the layers after them; "
                "export it again with the output logits"
            )
        raise WeightsError(f"{self._graph.path}: lacks {name}; it was changed after regnety wrote it")
