"""How a graph was quantized to int8: what its ranges were measured on, and the accuracy it lost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from regnety.errors import WeightsError
from regnety.plain_values import from_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDrop:
    """Accuracy before and after quantization, on the same labelled photographs."""

    data: str
    """Where they were."""
    count: int
    """How many could be read."""
    engine: str
    """What ran both: `onnxruntime 1.32.0`."""
    top1_float: float
    """In percent, like everything that follows."""
    top1_int8: float

    @property
    def drop(self) -> float:
        """Points that were lost; below 0 if some were gained."""
        return self.top1_float - self.top1_int8


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a graph went from f32 to int8."""

    method: str
    """`nncf.quantize`, or `nncf.quantize_with_accuracy_control`."""
    version: str
    """Of the library."""
    preset: str
    """`mixed`: activations that may be negative have a zero point of their own."""
    num_images: int
    """On which the ranges of activations were measured."""
    images_sha256: str
    """Of the pixels that the model was given, in their order."""
    seed: int
    """By which the photographs were drawn."""
    float_layers: tuple[str, ...]
    """Convolutions and linear layers that still compute in f32."""
    max_drop: float | None = None
    """Points of top-1 that the graph was allowed to lose; None if no limit was given."""
    measured: MeasuredDrop | None = None
    """None if no labelled photographs were given."""

    @property
    def precision(self) -> str:
        """What the graph computes in."""
        return "int8"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `calibration_from_dict` reads them back."""
        values = {**asdict(self), "float_layers": list(self.float_layers)}
        if self.measured is not None:
            values["measured"]["drop"] = round(self.measured.drop, 6)
        return {"precision": self.precision, **values}


def calibration_from_dict(values: Any) -> Calibration | None:
    """Read what `as_dict` wrote; None is a model in floating point.

    Raises:
        WeightsError: a field is missing, unknown or not of its type, or the precision is not int8.
    """
    if values is None:
        return None
    if isinstance(values, Mapping):
        if values.get("precision") != "int8":
            raise WeightsError(f"calibration has the precision {values.get('precision')!r}, and only int8 is known")
        # precision and drop are written for readers of the file, and follow from the rest
        values = {name: value for name, value in values.items() if name != "precision"}
        measured = values.get("measured")
        if isinstance(measured, Mapping):
            values["measured"] = {name: value for name, value in measured.items() if name != "drop"}
    return from_plain(Calibration, values, path="calibration")
