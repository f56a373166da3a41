"""How a graph came to compute in int8: what its ranges were measured on, and what that cost. Plain facts, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from regnety.errors import WeightsError
from regnety.plain_values import from_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDrop:
    """Accuracy before and after, on the same labelled photographs."""

    data: str
    """Where they stood."""
    count: int
    """How many could be read."""
    engine: str
    """What ran both: `onnxruntime 1.32.0`."""
    top1_float: float
    """In percent, like everything that follows."""
    top1_int8: float

    @property
    def drop(self) -> float:
        """Points that were lost; below 0 where some were won."""
        return self.top1_float - self.top1_int8


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A graph's way from float32 to int8."""

    method: str
    """`nncf.quantize`, or `nncf.quantize_with_accuracy_control`."""
    version: str
    """Of the library."""
    preset: str
    """`mixed`: activations that may be below zero have a zero point of their own."""
    num_images: int
    """On which the ranges of activations were measured."""
    images_sha256: str
    """Of their pixels, as the model was shown them, in their order."""
    seed: int
    """By which they were drawn."""
    float_layers: tuple[str, ...]
    """Convolutions and linear layers that compute in float32 still."""
    max_drop: float | None = None
    """Points of top-1 that were allowed to be lost; None where nobody said."""
    measured: MeasuredDrop | None = None
    """None where no labelled photographs were given."""

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
    """Read what `as_dict` wrote; None, or nothing at all, is a model in floating point.

    Raises:
        WeightsError: a field is missing, unknown or not of its type, or the precision is not int8.
    """
    if values is None:
        return None
    if isinstance(values, Mapping):
        if values.get("precision") != "int8":
            raise WeightsError(f"calibration has the precision {values.get('precision')!r}, and only int8 is known")
        values = {name: value for name, value in values.items() if name != "precision"}
        measured = values.get("measured")
        if isinstance(measured, Mapping):
            values["measured"] = {name: value for name, value in measured.items() if name != "drop"}
    return from_plain(Calibration, values, path="calibration")
