"""Whether weights fit a description: every key there, none left over, every shape equal."""

from collections.abc import Mapping
from typing import Protocol

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.weights.safetensors_files import Array, SafetensorsWeights


class HasShape(Protocol):
    """An array of any library."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102


def check_fit(architecture: Architecture, weights: "Mapping[str, Array]", *, source: str) -> None:
    """Compare keys and shapes; `num_batches_tracked` may be absent, as inference does not need it.

    Args:
        architecture: what the weights are for.
        weights: key to array; of a `SafetensorsWeights` only shapes are read.
        source: the file or whatever the message should begin with.

    Raises:
        WeightsError: names the first key that differs, with both shapes.
    """
    wanted = architecture.state_dict_shapes()
    for key, shape in wanted.items():
        if key not in weights:
            if key.endswith("num_batches_tracked"):
                continue
            raise WeightsError(f"{source}: lacks {key}, which the architecture wants as {shape}")
        found = weights.shape(key) if isinstance(weights, SafetensorsWeights) else tuple(weights[key].shape)
        if found != shape:
            raise WeightsError(f"{source}: {key} is {found}, the architecture wants {shape}")
    for key in weights:
        if key not in wanted:
            raise WeightsError(f"{source}: has {key}, which the architecture does not know")
