"""A graph on disk in either format: its input, outputs and properties, and where its arrays are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer, MappedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArray:
    """An array in a file, read when it is asked for."""

    name: str
    dtype: np.dtype[Any] | None
    """Little-endian; None if NumPy has no such type."""
    shape: tuple[int, ...]
    data: Buffer | None
    """What holds its bytes; None if they are stored in a form that is not read."""
    start: int = 0
    """Where its bytes begin."""
    length: int = 0
    """How many there are."""

    def read(self) -> npt.NDArray[Any]:
        """The values: a view of the file.

        Raises:
            WeightsError: the number type cannot be read, or the number of bytes does not fit the shape.
        """
        if self.dtype is None or self.data is None:
            raise WeightsError(f"{self.name} has a number type that cannot be read")
        count = math.prod(self.shape)
        # Before anything is read: a damaged shape must not lead into the bytes of other arrays.
        if count * self.dtype.itemsize != self.length:
            raise WeightsError(f"{self.name} has {self.length} bytes, which its shape {self.shape} does not")
        try:
            # a view keeps the map open as long as it lives
            return np.frombuffer(self.data, self.dtype, count, self.start).reshape(self.shape)
        except ValueError as error:
            raise WeightsError(f"{self.name} of shape {self.shape} cannot be read: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraph:
    """An ONNX file or an OpenVINO model, as far as it can be read without an engine."""

    path: Path
    mapped: tuple[MappedFile, ...]
    """The file, and those that hold its arrays."""
    properties: Mapping[str, str]
    inputs: tuple[str, ...]
    input_kind: Literal["uint8", "float"] | None
    """`uint8` [batch, height, width, channels] or `float` [batch, channels, height, width]; None is anything else."""
    input_shape: tuple[int | None, ...] | None
    """A free dimension is None; None altogether unless there is one input with a known shape."""
    outputs: tuple[str, ...]
    arrays: Mapping[str, StoredArray]
    """By name."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of `mapped`."""
        return tuple(file.path for file in self.mapped)

    @property
    def image_size(self) -> tuple[int | None, int | None] | None:
        """(height, width) in pixels, None for a free side; None altogether if the input is not a picture."""
        if self.input_kind is None or self.input_shape is None:
            return None
        # uint8 inputs have their channels last, float inputs first.
        height, width = self.input_shape[1:3] if self.input_kind == "uint8" else self.input_shape[2:4]
        return height, width

    def takes(self, image_size: int) -> bool:
        """Whether the input takes a square picture of that size."""
        return self.image_size is not None and all(side in (None, image_size) for side in self.image_size)
