"""torch's storages and the functions that make tensors of them, for a pickle that asks for them by name."""

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
"""torch's classes, whatever module they are in, to the type of their elements."""

ITEM_SIZES = {
    **{name: item.itemsize for name, item in FILE_TYPES.items()},
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
}
"""Bytes of one element of each type that a storage may have."""

LONGEST_TYPE = 20
"""Characters of the name of a type that is not known; a file can make it as long as it likes."""
MOST_REPEATED = 1 << 24
"""Elements that an expanded tensor may have in a file of fewer bytes."""


@dataclass(slots=True, eq=False)
class Region:
    """Bytes of a file that tensors share. An old file tells where they are after it has told who uses them."""

    data: Buffer
    start: int
    size: int
    big_endian: bool = False


class Storage(Opaque):
    """A row of elements of one type. It is data like any other, so it may turn up in a file by itself."""

    __slots__ = ("dtype", "numel", "region", "shift")

    def __init__(self, name: str, dtype: str, numel: int, region: Region, shift: int = 0) -> None:
        super().__init__(name)
        self.dtype = dtype
        self.numel = numel
        self.region = region
        self.shift = shift
        """Where it begins in the region, in bytes."""

    def read(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...] | None) -> Array:
        """Values of it, as `read_values`; the bounds were checked."""
        start = self.region.start + self.shift + offset * ITEM_SIZES[self.dtype]
        return read_values(self.region.data, self.dtype, start, shape, strides, big_endian=self.region.big_endian)


def storage_type(cls: object) -> str:
    """The type of the elements of a storage class, as `torch.FloatStorage` or `torch.cuda.HalfStorage`.

    Raises:
        WeightsError: it is none of torch's.
    """
    name = cls.name if isinstance(cls, Opaque) else ""
    dtype = STORAGE_TYPES.get(name.rpartition(".")[2])
    if dtype is None or not name.startswith("torch."):
        raise WeightsError("has a storage of a class that is not torch's")
    return dtype


def whole_number(value: object) -> int:
    """A count or a place.

    Raises:
        WeightsError: it is no whole number that is 0 or more.
    """
    if type(value) is not int or value < 0:
        raise WeightsError("has a count or a place that is no whole number")
    return value


def rebuild_tensor(storage: Any, offset: Any, size: Any, strides: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_tensor`: a tensor out of its storage.

    Args:
        storage: where its values are.
        offset: of its first value, in elements.
        size: its shape.
        strides: between neighbours along each axis, in elements.

    Raises:
        WeightsError: it does not lie in its storage, or repeats so much of it that nobody could hold it.
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
    if offset + sum((count - 1) * step for count, step in zip(shape, steps, strict=True)) >= storage.numel:
        raise WeightsError(f"has a tensor of shape {shape} that reaches beyond its storage of {storage.numel} elements")
    if math.prod(count for count, step in zip(shape, steps, strict=True) if step) > storage.numel:
        raise WeightsError(f"has a tensor of shape {shape} whose rows overlap")
    if math.prod(shape) > max(MOST_REPEATED, len(storage.region.data)):
        raise WeightsError(f"has a tensor of shape {shape}, which repeats values to more than the file could hold")
    if storage.dtype not in FILE_TYPES:
        return unreadable(shape, storage.dtype)
    return StoredTensor(shape, storage.dtype, partial(storage.read, offset, shape, steps))


def rebuild_tensor_v2(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> StoredTensor:
    """`torch._utils._rebuild_tensor_v2`: the same with what only training needs."""
    tensor = rebuild_tensor(storage, offset, size, strides)
    if isinstance(metadata, dict) and any(metadata.values()):  # a view that is negated or conjugated when it is used
        return unreadable(tensor.shape, f"{tensor.dtype[:LONGEST_TYPE]}, negated or conjugated")
    return tensor


def rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> StoredTensor:
    """`torch._utils._rebuild_tensor_v3`: for types that have no storage class, over plain bytes."""
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Opaque) else ""
    if name not in ITEM_SIZES:
        return unreadable(checked_shape(size), name[:LONGEST_TYPE])
    if not isinstance(storage, Storage):
        raise WeightsError("has a tensor without a storage")
    typed = Storage(storage.name, name, storage.numel // ITEM_SIZES[name], storage.region, storage.shift)
    return rebuild_tensor_v2(typed, offset, size, strides, requires_grad, hooks, metadata)


def rebuild_parameter(tensor: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_parameter`: the tensor that a parameter is."""
    if not isinstance(tensor, StoredTensor):
        raise WeightsError("has a parameter without a tensor")
    return tensor


def rebuild_sparse_tensor(layout: Any, parts: Any) -> StoredTensor:
    """`torch._utils._rebuild_sparse_tensor`: indices, values and the size that they are spread over."""
    values, size = parts[1:3] if len(parts) < 4 or isinstance(parts[2], tuple) else parts[2:4]
    return unreadable(checked_shape(size), f"sparse {rebuild_parameter(values).dtype[:LONGEST_TYPE]}")


def rebuild_meta_tensor(dtype: Any, size: Any, *_: Any) -> StoredTensor:
    """`torch._utils._rebuild_meta_tensor_no_storage`: a shape that never had values."""
    return unreadable(checked_shape(size), "meta")
