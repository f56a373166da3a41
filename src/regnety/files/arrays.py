"""Tensors in a file: their shapes are known at once, their values are read on demand."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from regnety.errors import WeightsError
from regnety.text import excerpt

Array: TypeAlias = npt.NDArray[Any]


@runtime_checkable
class LazyWeights(Protocol):
    """Weights that know the shape of an array without reading it."""

    def shape(self, key: str) -> tuple[int, ...]:
        """Of one array."""


def shapes_of(weights: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Key to shape; `LazyWeights` are not read for it."""
    if isinstance(weights, LazyWeights):
        return {key: weights.shape(key) for key in weights}
    return {key: value.shape for key, value in weights.items()}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file."""

    shape: tuple[int, ...]
    dtype: str
    """NumPy's name, or `bfloat16`; for a type that cannot be read, the file's own name."""
    read: Callable[[], Array]
    """The values: a read-only view of the file if NumPy has the type; bfloat16 is widened to float32.

    Raises WeightsError if they cannot be read; its message is the rest of a sentence about the tensor: "is of type
    F8_E4M3, which cannot be read"."""


def stored(array: Array) -> StoredTensor:
    """An array in memory as if it were in a file."""
    return StoredTensor(array.shape, array.dtype.name, lambda: array)


def same_values(one: StoredTensor, other: StoredTensor) -> bool:
    """Whether two tensors are equal; they are read only if nothing else decides it."""
    if one is other:
        return True
    if (one.shape, one.dtype) != (other.shape, other.dtype) or math.prod(one.shape) > MOST_COMPARED:
        return False
    try:
        first, second = one.read(), other.read()
    except WeightsError:
        return False
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def relative_difference(found: Array, wanted: Array) -> float:
    """Largest difference, in standard deviations of `wanted`; NaN where a value is not finite.

    A constant output has no deviation; there it is the difference itself.
    """
    wanted = wanted.astype(np.float64)
    deviation = float(wanted.std())
    return float(np.abs(found - wanted).max()) / (deviation or 1.0)


# An expanded tensor may claim more elements than memory holds, and comparing makes an array of as many truth values.
MOST_COMPARED = 1 << 28
"""Elements of tensors that are compared; the largest layer of a published RegNet has a tenth of them."""


class FileWeights(Mapping[str, Array]):
    """Key to array for the tensors of a file.

    Args:
        tensors: key to tensor, in the order of iteration.
        source: the file, which messages begin with.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor], *, source: str) -> None:
        self.tensors = tensors
        self.source = source

    def __getitem__(self, key: str) -> Array:
        tensor = self.tensors[key]
        try:
            return np.asarray(tensor.read())
        except WeightsError as error:
            raise WeightsError(f"{self.source}: {excerpt(key)} {error}") from None

    def __contains__(self, key: object) -> bool:
        return key in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def shape(self, key: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return self.tensors[key].shape


def tensor_of(weights: Mapping[str, Array], key: str) -> StoredTensor:
    """One tensor, to be read later. If the weights are not a file's, it is read once to learn its type."""
    if isinstance(weights, FileWeights):
        return weights.tensors[key]
    array = weights[key]  # not kept, so that memory holds one layer at a time
    return StoredTensor(array.shape, array.dtype.name, lambda: weights[key])
