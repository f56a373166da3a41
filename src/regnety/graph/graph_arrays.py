"""The arrays of a graph that is being built: shapes are known at once, values are computed when they are written.

So writing a graph holds one array in memory at a time, however large the model is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from regnety.errors import WeightsError
from regnety.files.arrays import Array

ArrayType: TypeAlias = Literal["float32", "float16"]

TENSOR_TYPES = {"float32": onnx.TensorProto.FLOAT, "float16": onnx.TensorProto.FLOAT16}
ELEMENTS_AT_A_TIME = 1 << 20
"""Elements of an array that are converted at a time: 8 MB in float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphArray:
    """One array."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """`float32` or `float16`: the type in which it is stored."""
    source: Callable[[], Array]
    """Gives the values before scaling, in that shape and any floating-point type."""
    scale: npt.NDArray[np.float64] | None = None
    """What each row is multiplied by."""

    @property
    def num_bytes(self) -> int:
        """Of its values, as they are stored."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def tensor(self, **where: Any) -> onnx.TensorProto:
        """Its initializer in a graph; `where` says where the values are."""
        return onnx.TensorProto(name=self.name, data_type=TENSOR_TYPES[self.dtype], dims=self.shape, **where)

    def values(self) -> Array:
        """The values, computed some rows at a time, as the largest arrays have hundreds of megabytes.

        Raises:
            WeightsError: a value is not finite, or not finite in that type.
        """
        source = self.source()
        converted = np.empty(self.shape, self.dtype)
        rows = max(1, ELEMENTS_AT_A_TIME // max(1, math.prod(self.shape[1:])))
        for start in range(0, len(converted), rows):
            part = source[start : start + rows].astype(np.float64)  # rounded once, at the end
            if self.scale is not None:
                part *= self.scale[start : start + rows].reshape(-1, *(1,) * (part.ndim - 1))
            with np.errstate(over="ignore"):  # float16 ends at 65504; what passes it is refused below
                converted[start : start + rows] = part
            if not np.isfinite(converted[start : start + rows]).all():
                if np.isfinite(part).all():
                    raise WeightsError(f"{self.name} has values that are not finite in {self.dtype}")
                raise WeightsError(f"{self.name}: has values that are not finite numbers; the weights are damaged")
        return converted


def little_endian(array: Array) -> memoryview:
    """The bytes of a contiguous array in ONNX's byte order, not copied on a little-endian machine."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data
