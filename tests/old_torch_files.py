"""Files as `torch.save` wrote them before 1.6, byte for byte, which those of the model page are.

torch calls a storage by its address, so that a file's size hangs on the machine; here the names are given. Nothing is
held in memory: zeros are a hole in the file.
"""

import math
import pickle
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from regnety.files.arrays import Array
from regnety.files.torch_files.old_format import MAGIC_NUMBER, PROTOCOL_VERSION

PICKLE_PROTOCOL = 2
SYSTEM = {
    "protocol_version": PROTOCOL_VERSION,
    "little_endian": sys.byteorder == "little",
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def write_old_torch(path: Path, weights: Mapping[str, Array], names: Sequence[str]) -> None:
    """Write a state dict.

    Args:
        path: where the file goes.
        weights: float32 and int64.
        names: of the storages, one for each tensor; they are written in the order of their names.
    """
    storages = [Storage(name, array) for name, array in zip(names, weights.values(), strict=True)]
    tensors = OrderedDict(zip(weights, map(Tensor, storages), strict=True))
    with path.open("wb") as file:
        for content in (MAGIC_NUMBER, PROTOCOL_VERSION, SYSTEM):
            pickle.dump(content, file, PICKLE_PROTOCOL)
        Pickler(file, PICKLE_PROTOCOL).dump(tensors)
        pickle.dump(sorted(names), file, PICKLE_PROTOCOL)
        for storage in sorted(storages, key=lambda storage: storage.name):
            file.write(storage.array.size.to_bytes(8, "little"))
            if storage.array.any():
                file.write(storage.array.tobytes())
            else:
                file.seek(storage.array.nbytes, 1)
        file.truncate(file.tell())


def write_of_size(path: Path, weights: Mapping[str, Array], size: int) -> None:
    """Write a state dict as a file of so many bytes, with names of 14 digits, as addresses have, or one less.

    A name stands there twice. Of the model page's twelve files eleven have 14 digits throughout.
    """
    write_old_torch(path, weights, [f"9{number:013}" for number in range(len(weights))])
    shorter, odd = divmod(path.stat().st_size - size, 2)
    assert not odd
    assert 0 <= shorter <= len(weights), f"{path.name} has {path.stat().st_size} bytes with names of 14 digits"
    if shorter:
        digits = [12] * shorter + [13] * (len(weights) - shorter)
        write_old_torch(path, weights, [f"9{number:0{width}}" for number, width in enumerate(digits)])


@dataclass(frozen=True)
class Storage:
    """What a tensor's numbers are in."""

    name: str
    array: Array


@dataclass(frozen=True)
class Tensor:
    """What is pickled as a torch.Tensor that holds its whole storage."""

    storage: Storage

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        shape = self.storage.array.shape
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        return torch._utils._rebuild_tensor_v2, (self.storage, 0, shape, strides, False, OrderedDict())


class Pickler(pickle.Pickler):
    """Refers to storages by their names."""

    def __init__(self, file: BinaryIO, protocol: int) -> None:
        super().__init__(file, protocol)

    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, Storage):
            return None
        kind = {np.dtype(np.float32): torch.FloatStorage, np.dtype(np.int64): torch.LongStorage}[value.array.dtype]
        return "storage", kind, value.name, "cpu", value.array.size, None
