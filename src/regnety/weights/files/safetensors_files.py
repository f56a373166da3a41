"""safetensors files: read lazily, and written whole or not at all."""

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from regnety.errors import WeightsError
from regnety.storage import replacing
from regnety.weights.files.arrays import Array

READABLE = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL")
"""Number types that NumPy has by itself, whatever else was imported."""


class SafetensorsWeights(Mapping[str, Array]):
    """The tensors of a file, memory-mapped: opened here, each read when it is asked for.

    Raises:
        WeightsError: the file is missing or damaged; the message begins with its name.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file: Any = safe_open(str(path), framework="np")
        except FileNotFoundError:
            raise WeightsError(f"{path}: no such file") from None
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: is not a whole safetensors file: {error}") from error
        self._keys = dict.fromkeys(self._file.keys())  # type: ignore[no-untyped-call]

    def __getitem__(self, key: str) -> Array:
        if key not in self._keys:
            raise KeyError(key)
        dtype = self._file.get_slice(key).get_dtype()
        if dtype not in READABLE:
            raise WeightsError(
                f"{self.path}: {key} is of type {dtype}, which cannot be read; {', '.join(READABLE)} can"
            )
        try:
            return np.asarray(self._file.get_tensor(key))
        except SafetensorError as error:
            raise WeightsError(f"{self.path}: {key} cannot be read: {error}") from error

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def shape(self, key: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return tuple(self._file.get_slice(key).get_shape())


def write_safetensors(
    path: str | Path, weights: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors; the format orders them by type and name."""
    arrays = {key: np.ascontiguousarray(value) if value.ndim else value for key, value in weights.items()}
    with replacing(path) as beside:
        try:
            save_file(arrays, str(beside), metadata=dict(metadata or {"format": "pt"}))
        except SafetensorError as error:  # what the operating system said is in its text alone
            raise OSError(errno.EIO, str(error), str(beside)) from error
