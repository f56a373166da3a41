"""Random weights for what depends on shapes alone: how long a network takes, and how much memory.

Activations keep their size from layer to layer. Values that fade away would end as denormal numbers, which processors
multiply many times more slowly, and the measured times would be wrong.
"""

import math
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from regnety.architecture.description import Architecture
from regnety.files.arrays import Array


class RandomWeights(Mapping[str, Array]):
    """Key to array for every key of a description, drawn on demand; the same every time.

    Args:
        architecture: the description.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._shapes = architecture.state_dict_shapes()

    def __getitem__(self, key: str) -> Array:
        return random_values(key, self._shapes[key])

    def __contains__(self, key: object) -> bool:
        return key in self._shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, key: str) -> tuple[int, ...]:
        """Of one array, without drawing it."""
        return self._shapes[key]


def random_values(key: str, shape: tuple[int, ...]) -> Array:
    """One array in float32: kernels normal with a deviation of sqrt(2 / fan-in), and norms around 1."""
    if key.endswith("num_batches_tracked"):
        return np.array(0, np.int64)
    # Seeded by the key: the values do not depend on the order in which they are asked for.
    values = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape, np.float32)
    if key.endswith("running_var"):
        return np.float32(0.75) + np.float32(0.5) * np.abs(values)
    if key.endswith("bn.weight"):
        # 0.3 for a block's last norm: the sum of residual and shortcut then grows slowly over the blocks of a stage.
        return np.float32(0.3 if ".conv3." in key else 1.0) * (1 + np.float32(0.1) * values)
    values *= np.float32(math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1)
    return values
