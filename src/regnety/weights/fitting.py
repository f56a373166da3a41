"""Whether weights fit a description, without reading more than their shapes."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from regnety.architecture.description import Architecture
from regnety.architecture.fitting import check_keys, check_shape
from regnety.weights.safetensors_files import Array


@runtime_checkable
class LazyWeights(Protocol):
    """Weights that know a shape without reading the array."""

    def shape(self, key: str) -> tuple[int, ...]:
        """Of one array."""


def check_fit(architecture: Architecture, weights: Mapping[str, Array], *, source: str) -> None:
    """Compare all keys and shapes.

    Args:
        architecture: what the weights are for.
        weights: key to array; of `LazyWeights` only shapes are read.
        source: the file, or whatever the message should begin with.

    Raises:
        WeightsError: names the first key that differs, with both shapes.
    """
    check_keys(architecture, weights.keys(), source=source)
    wanted = architecture.state_dict_shapes()
    for key in weights:
        found = weights.shape(key) if isinstance(weights, LazyWeights) else weights[key].shape
        check_shape(key, found, wanted[key], source=source)
