"""A network's weights as NumPy arrays, in and out: the form that they have wherever torch is not."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regnety.errors import WeightsError


def load_weights(network: nn.Module, weights: Mapping[str, Any], *, skip: Collection[str] = ()) -> None:
    """Copy NumPy arrays into a network, one at a time.

    Args:
        network: the network to fill, or a part of one with the same keys.
        weights: key to array, checked against the description already. `num_batches_tracked` may be absent, and keys
            that the network does not have are ignored.
        skip: keys whose values stay.

    Raises:
        WeightsError: a key of the network is absent, as in a graph without weights.
    """
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key in skip:
                continue
            if key in weights:
                # A copy: weights are mapped read-only from their file, and torch warns of arrays it may not write to.
                value.copy_(torch.from_numpy(np.array(weights[key])))
            elif not key.endswith("num_batches_tracked"):
                raise WeightsError(f"the weights lack {key}")


def numpy_weights(network: nn.Module) -> dict[str, Any]:
    """A network's state dict as NumPy arrays, for `build_graph` and `Bundle`; bfloat16 becomes float32."""
    return {key: _array(value.detach().cpu().contiguous()) for key, value in network.state_dict().items()}


def _array(value: Tensor) -> Any:
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
