"""What a graph on disk says of itself, whatever its format: input, outputs, properties, and where each array stands."""

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
    """Little-endian; None where NumPy has no such type."""
    shape: tuple[int, ...]
    data: Buffer | None
    """What holds its bytes; None where they are kept in a form that is not read."""
    start: int = 0
    """Where its bytes begin."""
    length: int = 0
    """How many there are."""

    def read(self) -> npt.NDArray[Any]:
        """The values: a view of the file.

        Raises:
            WeightsError: the number type cannot be read, or there are more or fewer bytes than the shape wants.
        """
        if self.dtype is None or self.data is None:
            raise WeightsError(f"{self.name} is of a number type that cannot be read")
        count = 1
        for side in self.shape:
            count *= side
        if count * self.dtype.itemsize != self.length:
            raise WeightsError(f"{self.name} has {self.length} bytes, its shape {self.shape} wants others")
        try:
            return np.frombuffer(self.data, self.dtype, count, self.start).reshape(self.shape)
        except ValueError as error:
            raise WeightsError(f"{self.name} of shape {self.shape} cannot be read: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraph:
    """An ONNX file, or an OpenVINO model, as far as can be said without its engine."""

    path: Path
    mapped: tuple[MappedFile, ...]
    """The file and those beside it that hold its arrays."""
    properties: Mapping[str, str]
    inputs: tuple[str, ...]
    input_kind: Literal["uint8", "float"] | None
    """`uint8` [batch, height, width, channels], `float` [batch, channels, height, width]; None is anything else."""
    input_shape: tuple[int | None, ...] | None
    """None for a free dimension; altogether None where there is not one input, or nothing is known of it."""
    outputs: tuple[str, ...]
    arrays: Mapping[str, StoredArray]
    """By name."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Their paths."""
        return tuple(file.path for file in self.mapped)

    @property
    def image_size(self) -> tuple[int | None, int | None] | None:
        """(height, width) in pixels, None for a free side; altogether None where the input is no picture."""
        if self.input_kind is None or self.input_shape is None:
            return None
        height, width = self.input_shape[1:3] if self.input_kind == "uint8" else self.input_shape[2:4]
        return height, width

    def takes(self, image_size: int) -> bool:
        """Whether a square picture of that size fits the input."""
        return self.image_size is not None and all(side in (None, image_size) for side in self.image_size)
