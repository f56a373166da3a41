"""All dialects by name, and our weights in any of them; `weights.networks` is the way back."""

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor, stored, tensor_of
from regnety.weights.dialects import DIALECT_NAMES
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.shape_check import check_fit
from regnety.weights.stem import STEM_WEIGHT, reversed_stem

DIALECTS: dict[str, Dialect] = {
    name: getattr(import_module(f"regnety.weights.dialects.{name}"), name.upper()) for name in DIALECT_NAMES
}
"""By name: the module `pycls` has PYCLS."""


def in_dialect(dialect: Dialect, architecture: Architecture, weights: Mapping[str, Array]) -> dict[str, StoredTensor]:
    """Our weights under a dialect's keys, in the order of its own state dict; each is read on demand.

    Counters of batch norm (`num_batches_tracked`) that the weights lack are 0.

    Args:
        dialect: one of `DIALECTS`.
        architecture: the network of the weights.
        weights: our keys to arrays.

    Raises:
        WeightsError: the other program cannot build the architecture, or the weights do not fit it.
    """
    obstacle = dialect.obstacle(architecture)
    if obstacle is not None:
        raise WeightsError(f"{dialect.name} cannot express it: {obstacle}")
    check_fit(architecture, weights, source="the weights")
    tensors = {}
    for theirs, ours in dialect.their_keys(architecture).items():
        tensor = tensor_of(weights, ours) if ours in weights else stored(np.zeros((), np.int64))
        tensors[theirs] = reversed_stem(tensor) if dialect.bgr_input and ours == STEM_WEIGHT else tensor
    return tensors
