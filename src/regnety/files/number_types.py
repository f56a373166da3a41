"""The number types of tensors that can be read: their names, and their values out of bytes."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor
from regnety.files.mapped_files import Buffer
from regnety.text import excerpt

NUMPY_TYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("float64", "float32", "float16", "int64", "int32", "int16", "int8"),
        *("uint64", "uint32", "uint16", "uint8", "bool"),
    )
}
"""NumPy's own types. In files the lowest byte comes first."""

# Not ml_dtypes' bfloat16: it would be a dependency for two lines, and registers its types with NumPy when imported.
FILE_TYPES = {**NUMPY_TYPES, "bfloat16": np.dtype("<u2")}
"""The form of each readable type in a file."""

STORED_TYPES: dict[str, Literal["float32", "float16"]] = {"f32": "float32", "f16": "float16"}
"""The precisions in which weights are written, as NumPy calls them; its own names are accepted too."""

MOST_DIMENSIONS = 32
"""NumPy's limit before 2.0, which has 64."""
MOST_ELEMENTS = 2**59
"""With 8 bytes each they are still fewer than 2**63 bytes, NumPy's limit."""


def stored_type(precision: str) -> Literal["float32", "float16"]:
    """NumPy's name of a precision in which weights are written: `f32`, or `f16`, which halves the file.

    Raises:
        WeightsError: it is another one.
    """
    for name, numpy_name in STORED_TYPES.items():
        if precision in (name, numpy_name):
            return numpy_name
    raise WeightsError(f"dtype must be one of {', '.join(STORED_TYPES)}, got {precision!r}")


def checked_shape(shape: object) -> tuple[int, ...]:
    """A shape from a file, checked.

    Raises:
        WeightsError: it is not a row of whole numbers, or has more dimensions or elements than an array can.
    """
    if isinstance(shape, tuple | list) and len(shape) > MOST_DIMENSIONS:
        raise WeightsError(f"has a tensor of {len(shape)} dimensions; {MOST_DIMENSIONS} can be read")
    if not isinstance(shape, tuple | list) or any(type(size) is not int or size < 0 for size in shape):
        raise WeightsError("has a tensor whose shape is not a row of whole numbers")
    # Zeros are left out: NumPy multiplies the other sizes too, and refuses (0, 2**62, 2**62).
    if math.prod(size for size in shape if size) > MOST_ELEMENTS:
        raise WeightsError("has a tensor of more elements than an array can have")
    return tuple(shape)


def unreadable(shape: tuple[int, ...], dtype: str) -> StoredTensor:
    """A tensor whose values cannot be read; `dtype` says what they are. It fails only if somebody needs it."""
    return StoredTensor(shape, dtype, partial(_refuse, dtype))


def _refuse(dtype: str) -> Array:
    raise WeightsError(f"is of type {excerpt(dtype)}, which cannot be read; {', '.join(FILE_TYPES)} can")


def read_values(
    data: Buffer,
    dtype: str,
    start: int,
    shape: tuple[int, ...],
    strides: Sequence[int] | None = None,
    *,
    big_endian: bool = False,
) -> Array:
    """Values from bytes whose bounds were checked: a view, or a copy if the machine has another form.

    Args:
        data: the file, or a part of it.
        dtype: one of `FILE_TYPES`.
        start: where the first value begins, in bytes.
        shape: of the result.
        strides: between neighbours along each axis, in elements; None if the values are contiguous.
        big_endian: whether the highest byte of each value comes first.
    """
    item = FILE_TYPES[dtype].newbyteorder(">" if big_endian else "<")
    steps = None if strides is None else [item.itemsize * stride for stride in strides]
    values: Array = np.ndarray(shape, item, buffer=data, offset=start, strides=steps)
    if dtype != "bfloat16" and item.isnative:
        return values
    # An expanded tensor has strides of 0. What it repeats is converted once, or a file of a few bytes could ask for
    # gigabytes.
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in values.strides)]
    return np.broadcast_to(_widened(once) if dtype == "bfloat16" else once.astype(item.newbyteorder("=")), shape)


def as_bytes(array: Array) -> memoryview:
    """An array's values in the form of a file, without a copy if they have it already."""
    little = array.astype(NUMPY_TYPES[array.dtype.name], copy=False)
    return np.ascontiguousarray(little).reshape(-1).view(np.uint8).data


def _widened(bits: Array) -> Array:
    """bfloat16 as float32: the upper half of the same bits."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)
