"""NumPy's scalars and arrays in a pickle, which builds them by calls of NumPy's own functions."""

import math
import re
from functools import partial
from typing import Any

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import Opaque
from regnety.files.number_types import NUMPY_TYPES, checked_shape, read_values, unreadable

_CODE = re.compile(r"[<>=|]?([biufcSU])(\d{1,5})")
"""A kind of numbers or texts and its size, like f4."""


class NumberType(Opaque):
    """`numpy.dtype`: the call gives its code, the state that follows its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any) -> None:
        super().__init__("numpy.dtype", code)
        self.code = code if isinstance(code, str) else ""
        self.order = "<"

    def fill(self, state: Any) -> None:
        """Take the state: version, byte order, and what only compound types have."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.order = ">"

    def dtype(self) -> np.dtype[Any] | None:
        """NumPy's own; None if it is not of numbers or texts."""
        # Only what the expression allows reaches np.dtype: it understands strings that make compound types.
        found = _CODE.fullmatch(self.code)
        try:
            return np.dtype(self.order + found[1] + found[2]) if found else None
        except TypeError:  # no such size, as in f3
            return None


def scalar(kind: Any, value: Any) -> Any:
    """`numpy.core.multiarray.scalar`: the number or text as a Python value."""
    dtype = kind.dtype() if isinstance(kind, NumberType) else None
    if dtype is None or dtype.itemsize == 0:
        return Opaque("numpy.generic", value)
    _check_size(value, dtype, 1)
    return np.frombuffer(value, dtype)[0].item()


def reconstruct(*_: Any) -> StoredTensor:
    """`numpy.core.multiarray._reconstruct`: an array that is filled later."""
    return StoredTensor((0,), "uint8", partial(np.zeros, 0, np.uint8))


def fill(array: StoredTensor, state: Any) -> None:
    """Fill a reconstructed array: version, shape, number type, whether it is in column order, bytes."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], NumberType):
        return  # attributes of a torch tensor, which are not needed
    _, shape, kind, columns_whole, values = state
    whole = _array(values, kind, shape, columns_whole)
    # In place, although it is frozen: the pickle may have put the unfilled array elsewhere already.
    for field in ("shape", "dtype", "read"):
        object.__setattr__(array, field, getattr(whole, field))


def from_buffer(values: Any, kind: Any, shape: Any, order: Any) -> StoredTensor:
    """`numpy.core.numeric._frombuffer`: an array out of bytes."""
    return _array(values, kind, shape, order == "F")


def _array(values: Any, kind: Any, shape: Any, columns_whole: Any) -> StoredTensor:
    shape = checked_shape(shape)
    dtype = kind.dtype() if isinstance(kind, NumberType) else None
    if dtype is None or dtype.name not in NUMPY_TYPES:
        return unreadable(shape, "no number" if dtype is None else dtype.name)
    _check_size(values, dtype, math.prod(shape))
    strides = tuple(math.prod(shape[:axis]) for axis in range(len(shape))) if columns_whole else None
    read = partial(read_values, values, dtype.name, 0, shape, strides, big_endian=kind.order == ">")
    return StoredTensor(shape, dtype.name, read)


def _check_size(values: Any, dtype: np.dtype[Any], count: int) -> None:
    if not isinstance(values, bytes) or len(values) != dtype.itemsize * count:
        raise WeightsError(f"has {count} values of NumPy's {dtype} that do not have {dtype.itemsize * count} bytes")
