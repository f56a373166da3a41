"""What a report says, as plain values and arrays: whoever has evaluated a model fills it in.

Classes are numbers here: positions in `ReportContent.classes`. Nothing needs the photographs or the model any more once
the pictures are in (`pictures.with_pictures`), so that a report can be made again anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.errors import DataError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredPhotographs:
    """A model's answers about N labelled photographs of C classes.

    Args:
        split: what they are called in sentences, as `test` in "507 test photographs".
        names: [N] as messages and tables call them; each stands once.
        targets: int64 [N], their classes.
        predictions: int64 [N], the first answers.
        probabilities: float32 [N, C], after the temperature; None where only the answers are known.
        uncalibrated: float32 [N, C], before the temperature; None where there is none.
        confidences: float32 [N], the probabilities of the first answers; taken from `probabilities` where these are.
        loss: mean cross-entropy; None has it computed from `probabilities`.
        top5: in percent; None has it computed from `probabilities`.

    Raises:
        DataError: there are no photographs, or lengths or classes do not fit.
    """

    split: str
    names: tuple[str, ...]
    targets: Integers
    predictions: Integers
    probabilities: Floats | None = None
    uncalibrated: Floats | None = None
    confidences: Floats | None = None
    loss: float | None = None
    top5: float | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        if not count:
            raise DataError(f"{self.split}: there are no photographs to report on")
        for name in ("targets", "predictions", "confidences"):
            array = getattr(self, name)
            if array is not None and array.shape != (count,):
                raise DataError(f"{self.split}: {name} must have the shape ({count},), got {array.shape}")
            if name != "confidences" and array.dtype.kind not in "iu":
                raise DataError(f"{self.split}: {name} must be whole numbers, got {array.dtype}")
        for name in ("probabilities", "uncalibrated"):
            array = getattr(self, name)
            if array is not None and (array.ndim != 2 or len(array) != count):
                raise DataError(f"{self.split}: {name} must have the shape ({count}, classes), got {array.shape}")
        if self.confidences is None and self.probabilities is not None:
            confidences = self.probabilities[np.arange(count), self.predictions]
            object.__setattr__(self, "confidences", confidences)  # the class is frozen

    def __len__(self) -> int:
        return len(self.names)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """[N], whether the first answer is the photograph's class."""
        right: npt.NDArray[np.bool_] = self.targets == self.predictions
        return right


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectLabel:
    """A photograph whose label looks wrong, by a model that was not fitted on it.

    Args:
        name: of the photograph.
        label: its class as labelled.
        suggestion: the class that the model takes it for.
        self_confidence: probability of `label`; the list is ranked by it (cleanlab's definition).
        prob: probability of `suggestion`.
    """

    name: str
    label: int
    suggestion: int
    self_confidence: float
    prob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Figures along one axis, as the loss by epoch.

    Args:
        title: of the picture, as "Loss".
        x_label: as "epoch".
        x: ascending.
        series: by name, each as long as `x`; None where a figure is missing.
        y_label: with the unit, as "top1 in percent".
        log_x: whether `x` is drawn on a logarithmic axis.
        chosen: the place on `x` that was chosen, as the best epoch; None where nothing was.
    """

    title: str
    x_label: str
    x: tuple[float, ...]
    series: Mapping[str, tuple[float | None, ...]]
    y_label: str = ""
    log_x: bool = False
    chosen: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the data check found.

    Args:
        title: what, as "exact duplicates".
        text: a sentence: how many, where, and what to do.
        examples: names of photographs, the first few.
        count: how many there are in all.
    """

    title: str
    text: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A photograph as the report shows it: the bytes of small JPEG files.

    Args:
        photograph: the whole of it.
        class_map: the crop that the model saw, with what speaks for its answer laid over it.
    """

    photograph: bytes
    class_map: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentedPhotograph:
    """A photograph, and what augmentation makes of it, as the bytes of small JPEG files (`pictures.encoded_pixels`)."""

    name: str
    variants: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportContent:
    """Everything that a report says.

    Args:
        model: what was evaluated, as `runs/birds` or `regnety_002.pycls_in1k`.
        classes: [C] names of the model's outputs.
        scored: the photographs that the verdict is about.
        method: how the model was made, as "a linear classifier on the embeddings of regnety_cifar10"; "" where it was
            only evaluated.
        seen: True if the model was fitted on the scored photographs, or may have been, so that the figures flatter it.
        counts: photographs by split, as `{"train": 2148, "val": 413, "test": 507}`.
        training_counts: [C] photographs of each class that were trained on; None where nothing was.
        published_top1: of published weights, at the size and crop used, in percent.
        published_source: where that figure is from.
        temperature: by which the logits were divided; None where there is none.
        suspects: labels that look wrong, the worst first.
        curves: of the training, or of the choice of a setting.
        augmented: what pictures look like after augmentation.
        findings: of the data check; None where it was not made, () where nothing was found.
        seconds: what each part of the work took, in the order of the work.
        command: as it was typed.
        seed: of everything random; None where nothing was.
        facts: anything else that explains the figures, by name: the processor, versions, the date.
        notices: sentences that a reader must know beside the verdict.
        errors: a line for each photograph that could not be read.
        pictures: by the name of the photograph.
    """

    model: str
    classes: tuple[str, ...]
    scored: ScoredPhotographs
    method: str = ""
    seen: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    training_counts: tuple[int, ...] | None = None
    published_top1: float | None = None
    published_source: str | None = None
    temperature: float | None = None
    suspects: tuple[SuspectLabel, ...] = ()
    curves: tuple[Curve, ...] = ()
    augmented: tuple[AugmentedPhotograph, ...] = ()
    findings: tuple[Finding, ...] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    command: str | None = None
    seed: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        classes = len(self.classes)
        labels: list[Any] = [self.scored.targets, self.scored.predictions]
        labels += [[suspect.label for suspect in self.suspects], [suspect.suggestion for suspect in self.suspects]]
        numbers = np.concatenate([np.asarray(each, np.int64) for each in labels])
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
            raise DataError(f"{self.model}: a photograph has a class that is not among the {classes} classes")
        for array in (self.scored.probabilities, self.scored.uncalibrated):
            if array is not None and array.shape[1] != classes:
                raise DataError(f"{self.model}: has {classes} classes, but probabilities of {array.shape[1]}")
        if self.training_counts is not None and len(self.training_counts) != classes:
            raise DataError(f"{self.model}: has {classes} classes, but counts of {len(self.training_counts)}")
