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
"""Types that NumPy has by itself, whatever else was imported; in files the lowest byte comes first."""

FILE_TYPES = {**NUMPY_TYPES, "bfloat16": np.dtype("<u2")}
"""How each type that can be read stands in a file."""

STORED_TYPES: dict[str, Literal["float32", "float16"]] = {"f32": "float32", "f16": "float16"}
"""The precisions in which weights are written, as NumPy calls them; its own names are accepted too."""

MOST_DIMENSIONS = 32
"""What every NumPy has."""
MOST_ELEMENTS = 2**59
"""What an array of the widest type may have, and be counted in bytes."""


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
    """A shape as a file has it, once it is known to be one.

    Raises:
        WeightsError: it is no row of whole numbers, or has more dimensions or elements than an array can.
    """
    if isinstance(shape, tuple | list) and len(shape) > MOST_DIMENSIONS:
        raise WeightsError(f"has a tensor of {len(shape)} dimensions; {MOST_DIMENSIONS} can be read")
    if not isinstance(shape, tuple | list) or any(type(size) is not int or size < 0 for size in shape):
        raise WeightsError("has a tensor whose shape is no row of whole numbers")
    if math.prod(size for size in shape if size) > MOST_ELEMENTS:
        raise WeightsError("has a tensor of more elements than an array can have")
    return tuple(shape)


def unreadable(shape: tuple[int, ...], dtype: str) -> StoredTensor:
    """A tensor that is there, and whose values cannot be read; `dtype` says what they are."""
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
    """Values out of bytes that are known to be there: a view, or a copy in the machine's own form.

    Args:
        data: the file, or a part of it.
        dtype: one of `FILE_TYPES`.
        start: where the first value begins, in bytes.
        shape: of the result.
        strides: between neighbours along each axis, in elements; None where nothing stands between them.
        big_endian: whether the highest byte of each value comes first.
    """
    item = FILE_TYPES[dtype].newbyteorder(">" if big_endian else "<")
    steps = None if strides is None else [item.itemsize * stride for stride in strides]
    values: Array = np.ndarray(shape, item, buffer=data, offset=start, strides=steps)
    if dtype != "bfloat16" and item.isnative:
        return values
    # What an expanded tensor repeats is converted once.
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in values.strides)]
    return np.broadcast_to(_widened(once) if dtype == "bfloat16" else once.astype(item.newbyteorder("=")), shape)


def as_bytes(array: Array) -> memoryview:
    """An array's values as a file has them, without a copy where they stand so already."""
    little = array.astype(NUMPY_TYPES[array.dtype.name], copy=False)
    return np.ascontiguousarray(little).reshape(-1).view(np.uint8).data


def _widened(bits: Array) -> Array:
    """bfloat16 as float32: the upper half of the same bits."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)
