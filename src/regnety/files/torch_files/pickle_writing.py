"""Nested plain Python with tensors in it, written as a pickle that torch reads; tensors refer to their storages.

Protocol 2, and only what torch's restricted reader (`weights_only=True`) accepts.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor
from regnety.files.file_contents import DEEPEST, ContentPath
from regnety.files.torch_files.tensors import STORAGE_TYPES
from regnety.text import excerpt

# Reversed: of two classes with one type the first one in the table remains.
STORAGE_CLASSES = {dtype: cls for cls, dtype in reversed(STORAGE_TYPES.items()) if not cls.endswith("UntypedStorage")}
"""Type of elements to torch's class, if there is one."""

Written: TypeAlias = tuple[str, str, tuple[int, ...]]
"""What is known of a tensor once its values are in the file: key of the storage, type, shape."""


class Pickler:
    """Writes pickles of nested content.

    No memo: it would save some bytes for keys that repeat, and torch's reader does not need one.

    Args:
        write: puts a tensor's values into the file.
    """

    def __init__(self, write: Callable[[StoredTensor | Array], Written]) -> None:
        self.write = write

    def dump(self, content: Any) -> bytes:
        """The pickle.

        Args:
            content: dict, list, tuple, str, int, float, bool and None, with `StoredTensor` and NumPy leaves.

        Raises:
            WeightsError: it holds something else, or is nested deeper than `DEEPEST` levels, or a tensor cannot be
                written; the message names the place.
        """
        return b"\x80\x02" + self._pickled(content, ()) + b"."

    def _pickled(self, value: Any, path: ContentPath) -> bytes:
        if len(path) > DEEPEST:
            raise WeightsError(f"the content is nested deeper than {DEEPEST} levels")
        if isinstance(value, StoredTensor | np.ndarray):
            try:
                return _tensor(*self.write(value))
            except WeightsError as error:
                raise WeightsError(f"{_place(path)} {error}") from None
        if isinstance(value, Mapping):
            members = (_plain(key, path) + self._pickled(part, (*path, key)) for key, part in value.items())
            return b"}(" + b"".join(members) + b"u"
        if isinstance(value, list | tuple):
            parts = b"".join(self._pickled(part, (*path, index)) for index, part in enumerate(value))
            return b"](" + parts + b"e" if isinstance(value, list) else b"(" + parts + b"t"
        return _plain(value, path)


def _plain(value: Any, path: ContentPath = ()) -> bytes:
    """A value that holds no others."""
    if value is None:
        return b"N"
    if isinstance(value, bool | np.bool_):  # before int, which bool is too
        return b"\x88" if value else b"\x89"
    if isinstance(value, int | np.integer):
        raw = int(value).to_bytes(int(value).bit_length() // 8 + 1, "little", signed=True)
        if len(raw) < 256:
            return b"J" + struct.pack("<i", value) if len(raw) <= 4 else b"\x8a" + bytes([len(raw)]) + raw
    if isinstance(value, float | np.floating):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(text)) + text
    raise WeightsError(
        f"{_place(path)} is of type {type(value).__name__}, which is not a plain value, container or tensor"
    )


def _place(path: ContentPath) -> str:
    return excerpt("".join(["content", *(f"[{key!r}]" for key in path)]))


def _tensor(key: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    """A call of torch's function that makes a contiguous tensor of a whole storage."""
    storage = (
        *(b"(", _plain("storage"), b"ctorch\n", STORAGE_CLASSES[dtype].encode(), b"\n"),
        *(_plain(key), _plain("cpu"), _plain(math.prod(shape)), b"tQ"),
    )
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    hooks = b"ccollections\nOrderedDict\n)R"  # no backward hooks: torch expects an empty OrderedDict
    return b"".join(
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n(",
            *(*storage, _plain(0), _integers(shape), _integers(strides), b"\x89", hooks),
            b"tR",
        )
    )


def _integers(values: Iterable[int]) -> bytes:
    return b"(" + b"".join(map(_plain, values)) + b"t"
