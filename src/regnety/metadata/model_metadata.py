"""What is stored with a model besides its weights: the JSON under the key `regnety` in bundles and graphs."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from regnety.architecture import validation
from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.architecture.stages import MAX_WIDTH
from regnety.errors import RegNetYError, WeightsError
from regnety.metadata.calibration import Calibration, calibration_from_dict
from regnety.plain_values import from_plain
from regnety.preprocessing import Preprocessing, preprocessing_from_dict
from regnety.text import counted, there_is

FORMAT_VERSION = 2
"""The latest that is read. What is written has the lowest that will do: 2 for an int8 graph, which a release that knows
only 1 would take for a damaged one; else 1."""
KEY = "regnety"
DEEPEST_PROVENANCE = 20
"""Levels of tables and lists in each other; what prints them recurses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """A model without its weights."""

    design: AnyDesign
    num_classes: int
    in_chans: int
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None = None
    """Class names by index, in Unicode's composed form (NFC); None if unknown, never guessed."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Licence, source, data, command: plain JSON values."""
    calibration: Calibration | None = None
    """How its graph was quantized to int8; None for a model in floating point, which has weights."""

    def __post_init__(self) -> None:
        if self.labels is not None:  # macOS gives folder names decomposed: é would be two characters
            object.__setattr__(self, "labels", tuple(unicodedata.normalize("NFC", label) for label in self.labels))
        validation.whole("num_classes", self.num_classes, 0, MAX_WIDTH)
        validation.whole("in_chans", self.in_chans, 1, MAX_WIDTH)
        if self.labels is not None and len(self.labels) != self.num_classes:
            raise WeightsError(
                f"there {there_is(len(self.labels), 'label')} for {counted(self.num_classes, 'class', 'classes')}"
            )
        if len(self.preprocessing.mean) != self.in_chans:
            raise WeightsError(
                f"preprocessing has a mean for {len(self.preprocessing.mean)} channels, the model takes {self.in_chans}"
            )

    @property
    def is_quantized(self) -> bool:
        """Whether the graph computes in int8; there are no weights then."""
        return self.calibration is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `metadata_from_dict` reads them back."""
        return {
            "format_version": 2 if self.is_quantized else 1,
            "design": self.design.as_dict(),
            "num_classes": self.num_classes,
            "in_chans": self.in_chans,
            "labels": None if self.labels is None else list(self.labels),
            "preprocessing": self.preprocessing.as_dict(),
            "provenance": dict(self.provenance),
            "calibration": None if self.calibration is None else self.calibration.as_dict(),
        }

    def as_json(self) -> str:
        """The metadata as JSON."""
        # sorted, so that the same model gives the same bytes of a file and the same checksum
        return json.dumps(self.as_dict(), ensure_ascii=False, sort_keys=True)


FIELDS = tuple(entry.name for entry in fields(ModelMetadata))
DECODERS = {AnyDesign: design_from_dict, Calibration: calibration_from_dict, Preprocessing: preprocessing_from_dict}


def metadata_from_dict(values: Any, *, source: str) -> ModelMetadata:
    """Read what `as_dict` wrote.

    Args:
        values: the table under the key `regnety`.
        source: the file's name, for errors.

    Raises:
        WeightsError: a field is missing or wrong, or a later release wrote it.
    """
    if not isinstance(values, Mapping):
        raise WeightsError(f"{source}: has no table under the key {KEY!r}, so regnety did not write it")
    version = values.get("format_version")
    if not isinstance(version, int) or version < 1:  # before anything else: later versions may change any field
        raise WeightsError(f"{source}: format_version is {version!r}, not a whole number")
    if version > FORMAT_VERSION:
        raise WeightsError(
            f"{source}: has format_version {version}, this release reads up to {FORMAT_VERSION}; "
            "install a later one: pip install --upgrade regnety"
        )
    known = {name: values[name] for name in FIELDS if name in values}  # later releases may add fields
    known["provenance"] = known.get("provenance") or {}
    try:
        if _is_deep(known["provenance"]):
            raise WeightsError(f"provenance is nested deeper than {DEEPEST_PROVENANCE} levels")
        return from_plain(ModelMetadata, known, name=f"the table {KEY!r}", decoders=DECODERS)
    except RegNetYError as error:
        raise WeightsError(f"{source}: {error}") from error


def _is_deep(value: Any) -> bool:
    """Whether a value has more levels than `DEEPEST_PROVENANCE`."""
    layer = [value]  # level by level, as recursion is what this guards against
    for _ in range(DEEPEST_PROVENANCE):
        layer = [
            inner
            for part in layer
            if isinstance(part, Mapping | list)
            for inner in (part.values() if isinstance(part, Mapping) else part)
        ]
    return any(isinstance(part, Mapping | list) for part in layer)


def metadata_from_json(text: str, *, source: str) -> ModelMetadata:
    """Read what `as_json` wrote. Raises WeightsError as `metadata_from_dict`."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{source}: the text under the key {KEY!r} is not JSON: {error}") from None
    return metadata_from_dict(values, source=source)
