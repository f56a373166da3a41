"""torch's storages, and the functions that make tensors of them, which a pickle calls by name."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor
from regnety.files.file_contents import Opaque
from regnety.files.mapped_files import Buffer
from regnety.files.number_types import FILE_TYPES, checked_shape, read_values, unreadable

STORAGE_TYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
    "_UntypedStorage": "uint8",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
}
"""torch's classes, in any module (torch, torch.cuda), to the type of their elements."""

ITEM_SIZES = {
    **{name: item.itemsize for name, item in FILE_TYPES.items()},
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
}
"""Bytes of one element of each type of a storage."""

LONGEST_TYPE = 20
"""Characters of the name of an unknown type that are kept; a file can make it any length."""
MOST_REPEATED = 1 << 24
"""Elements that an expanded tensor may always have; more only if the file has as many bytes."""


@dataclass(slots=True, eq=False)  # many tensors share one: they are the same region, not equal ones
class Region:
    """Bytes of a file that tensors share. Mutable: an old file names them first and says later where they are."""

    data: Buffer
    start: int
    size: int
    big_endian: bool = False


class Storage(Opaque):
    """A row of elements of one type. A file may also hold one without a tensor."""

    __slots__ = ("dtype", "numel", "region", "shift")

    def __init__(self, name: str, dtype: str, numel: int, region: Region, shift: int = 0) -> None:
        super().__init__(name)
        self.dtype = dtype
        self.numel = numel
        self.region = region
        self.shift = shift
        """Where it begins in the region, in bytes."""

    def read(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...] | None) -> Array:
        """Some of its values; arguments as for `read_values`, whose bounds were checked."""
        start = self.region.start + self.shift + offset * ITEM_SIZES[self.dtype]
        return read_values(self.region.data, self.dtype, start, shape, strides, big_endian=self.region.big_endian)


def storage_type(cls: object) -> str:
    """The type of the elements of a storage class, as `torch.FloatStorage` or `torch.cuda.HalfStorage`.

    Raises:
        WeightsError: it is not one of torch's.
    """
    name = cls.name if isinstance(cls, Opaque) else ""
    dtype = STORAGE_TYPES.get(name.rpartition(".")[2])
    if dtype is None or not name.startswith("torch."):
        raise WeightsError("has a storage of a class that is not torch's")
    return dtype


def whole_number(value: object) -> int:
    """A count or a place.

    Raises:
        WeightsError: it is not a whole number from 0.
    """
    if type(value) is not int or value < 0:
        raise WeightsError("has a count or a place that is not a whole number")
    return value


def rebuild_tensor(storage: Any, offset: Any, size: Any, strides: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_tensor`: a tensor from its storage.

    Args:
        storage: where its values are.
        offset: of its first value, in elements.
        size: its shape.
        strides: between neighbours along each axis, in elements.

    Raises:
        WeightsError: it reaches beyond its storage, or repeats too much of it.
    """
    if not isinstance(storage, Storage):
        raise WeightsError("has a tensor without a storage")
    shape = checked_shape(size)
    offset = whole_number(offset)
    if not isinstance(strides, tuple | list) or len(strides) != len(shape):
        raise WeightsError(f"has a tensor of shape {shape} without strides")
    steps = tuple(whole_number(stride) for stride in strides)
    if 0 in shape:
        return StoredTensor(shape, storage.dtype, partial(storage.read, 0, shape, None))
    # The place of the last element: with no negative strides, none is further.
    if offset + sum((count - 1) * step for count, step in zip(shape, steps, strict=True)) >= storage.numel:
        raise WeightsError(f"has a tensor of shape {shape} that reaches beyond its storage of {storage.numel} elements")
    # Strides of 0 (expand) are honest, rows that overlap otherwise are not: copying one would take more memory than the
    # file has.
    if math.prod(count for count, step in zip(shape, steps, strict=True) if step) > storage.numel:
        raise WeightsError(f"has a tensor of shape {shape} whose rows overlap")
    if math.prod(shape) > max(MOST_REPEATED, len(storage.region.data)):
        raise WeightsError(f"has a tensor of shape {shape}, which repeats more values than the file could hold")
    if storage.dtype not in FILE_TYPES:
        return unreadable(shape, storage.dtype)
    return StoredTensor(shape, storage.dtype, partial(storage.read, offset, shape, steps))


def rebuild_tensor_v2(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> StoredTensor:
    """`torch._utils._rebuild_tensor_v2`: the same, with what only training needs."""
    tensor = rebuild_tensor(storage, offset, size, strides)
    if isinstance(metadata, dict) and any(metadata.values()):  # torch negates or conjugates such a view on use
        return unreadable(tensor.shape, f"{tensor.dtype[:LONGEST_TYPE]}, negated or conjugated")
    return tensor


def rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> StoredTensor:
    """`torch._utils._rebuild_tensor_v3`: for types without a storage class (float8), over plain bytes."""
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Opaque) else ""
    if name not in ITEM_SIZES:
        return unreadable(checked_shape(size), name[:LONGEST_TYPE])
    if not isinstance(storage, Storage):
        raise WeightsError("has a tensor without a storage")
    typed = Storage(storage.name, name, storage.numel // ITEM_SIZES[name], storage.region, storage.shift)
    return rebuild_tensor_v2(typed, offset, size, strides, requires_grad, hooks, metadata)


def rebuild_parameter(tensor: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_parameter`: its tensor."""
    if not isinstance(tensor, StoredTensor):
        raise WeightsError("has a parameter without a tensor")
    return tensor


def rebuild_sparse_tensor(layout: Any, parts: Any) -> StoredTensor:
    """`torch._utils._rebuild_sparse_tensor`: indices, values and size; only the size is used."""
    # COO has (indices, values, size), CSR and the like have two arrays of indices.
    values, size = parts[1:3] if len(parts) < 4 or isinstance(parts[2], tuple) else parts[2:4]
    return unreadable(checked_shape(size), f"sparse {rebuild_parameter(values).dtype[:LONGEST_TYPE]}")


def rebuild_meta_tensor(dtype: Any, size: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_meta_tensor_no_storage`: a shape without values."""
    return unreadable(checked_shape(size), "meta")
