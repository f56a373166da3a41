"""What an export comes to."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and how it was checked."""

    path: Path
    """The file or folder that was asked for."""
    files: tuple[Path, ...]
    """All that were written, the main one first."""
    input_dtype: str
    """`uint8` takes pixels [batch, height, width, channels]; `float32` normalised [batch, channels, height, width]."""
    input_shape: tuple[int | None, ...]
    """None is free."""
    output_shapes: dict[str, tuple[int, ...]]
    """By name, without the batch."""
    engine: str
    """What ran the file for the comparison: `onnxruntime 1.32.0`."""
    largest_difference: float
    """From the source, in standard deviations of the output."""
    precision: str = "float32"
    """In which that source was run; `int8` for a model that is quantized."""
