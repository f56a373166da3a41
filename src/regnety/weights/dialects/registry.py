"""All dialects by name, and our weights in any of them; `weights.networks` is the way back."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor, stored, tensor_of
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.pycls import PYCLS
from regnety.weights.dialects.timm import TIMM
from regnety.weights.dialects.torchvision import TORCHVISION
from regnety.weights.dialects.transformers import TRANSFORMERS
from regnety.weights.dialects.vissl import VISSL
from regnety.weights.shape_check import check_fit

DIALECTS = {dialect.name: dialect for dialect in (TIMM, PYCLS, TORCHVISION, TRANSFORMERS, VISSL)}

STEM_WEIGHT = "stem.conv.weight"


def in_dialect(dialect: Dialect, architecture: Architecture, weights: Mapping[str, Array]) -> dict[str, StoredTensor]:
    """Our weights under a dialect's keys, in the order of its own state dict; each is read when it is asked for.

    Counters of batch norm (`num_batches_tracked`) that the weights lack are 0.

    Args:
        dialect: one of `DIALECTS`.
        architecture: what the weights are of.
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


def reversed_stem(stem: StoredTensor) -> StoredTensor:
    """The stem's weights [width, 3, 3, 3] for colours in the other order; a copy: torch takes no negative strides."""
    return replace(stem, read=lambda: np.ascontiguousarray(stem.read()[:, ::-1]))
