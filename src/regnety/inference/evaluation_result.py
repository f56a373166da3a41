"""How often a model was right, as a whole, by class, and picture by picture."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.inference.engines.registry import Precision
from regnety.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAccuracy:
    """How often a model was right about the photographs of one class.

    Args:
        count: number of photographs.
        top1: in percent.
    """

    count: int
    top1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadImage:
    """A photograph that could not be read.

    Args:
        filename: its name.
        target: the index of its class.
        error: why, in one line that names it.
        place: how many photographs before it were scored: where it stands among them.
    """

    filename: str
    target: int
    error: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedImage:
    """A photograph with its class and the model's answer: a row of `eval --output`.

    Args:
        filename: its name.
        true_label: its class.
        label: the model's answer; None if the photograph could not be read, like what follows.
        prob: the probability of the answer, 0 to 1.
        correct: whether the answer is its class.
        error: why it could not be read; None if it could.
    """

    filename: str
    true_label: str
    label: str | None
    prob: float | None
    correct: bool | None
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAccuracy:
    """What published weights score on ImageNet's 50,000 validation photographs, as timm measured it.

    Args:
        weights: their name, as regnety_002.pycls_in1k.
        image_size: height and width of what the model was shown, in pixels; in this evaluation, too.
        crop_pct: share of the shorter side that the crop kept; here, too.
        top1: in percent.
        top5: in percent.
        top1_difference: of the measured from the published one, in points.
        top5_difference: likewise.
    """

    weights: str
    image_size: int
    crop_pct: float
    top1: float
    top5: float
    top1_difference: float
    top5_difference: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationResult:
    """How often a model was right. Two are equal if all of their figures are.

    Args:
        model: its name.
        count: number of photographs that could be read; they alone are scored.
        top1: photographs whose class is the first answer, in percent.
        top5: photographs whose class is among the first five answers, in percent.
        loss: mean cross-entropy.
        per_class: by the class's label; two classes of one name have their ImageNet ids too, as crane (n02012849).
        errors: a line for each photograph that could not be read.
        trained_on: number of scored photographs that the model was trained on; None if it does not say what it was
            trained on. For a model that was trained on more than 100,000, the least that it can be.
        left_out: number of photographs that were omitted, because the model was or may have been trained on them.
        notice: a sentence on the photographs that it was trained on; None if there are none.
        classes: the names of all of the model's classes by index, each another one.
        filenames: of the photographs that were scored, in the order of the data.
        targets: the index of the class of each, int64 [count].
        predictions: the index of the first answer to each, int64 [count].
        prob: the probability of that answer, float64 [count].
        probabilities: of every class, float32 [count, num_classes]; None unless they were asked for.
        unread: the photographs that could not be read.
        engine: what ran the model: `onnxruntime`, `openvino` or `torch`.
        precision: what it computed in: `f32`, `bf16` or `int8`.
        preprocessing: what the model was shown.
        published: what was published of these weights, shown the same; None if they are others, or nothing was.
    """

    model: str
    count: int
    top1: float
    top5: float
    loss: float
    per_class: dict[str, ClassAccuracy]
    errors: tuple[str, ...]
    trained_on: int | None = None
    left_out: int = 0
    notice: str | None = None
    classes: tuple[str, ...]
    filenames: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    prob: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32] | None = None
    unread: tuple[UnreadImage, ...] = ()
    engine: str
    precision: Precision
    preprocessing: Preprocessing
    published: PublishedAccuracy | None = None

    def __eq__(self, other: object) -> bool:
        """Compares arrays by their values."""
        if not isinstance(other, EvaluationResult):
            return NotImplemented
        for field in fields(self):
            own, its = getattr(self, field.name), getattr(other, field.name)
            is_array = isinstance(own, np.ndarray) or isinstance(its, np.ndarray)
            if not (np.array_equal(own, its) if is_array else own == its):
                return False
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Without the lists of photographs, which may be 50,000 long."""
        return (
            f"{type(self).__name__}(model={self.model!r}, count={self.count}, top1={self.top1:.3f}, "
            f"top5={self.top5:.3f}, loss={self.loss:.4f}, unread={len(self.unread)})"
        )

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How many photographs of each class got which answer, int64 [num_classes, num_classes]: a row is a class."""
        size = len(self.classes)
        counted = np.bincount(self.targets * size + self.predictions, minlength=size * size)
        return counted.reshape(size, size).astype(np.int64)

    def images(self) -> Iterator[EvaluatedImage]:
        """Every photograph with its class and the model's answer, in the order of the data; also those without one."""
        unread = iter(self.unread)
        following = next(unread, None)
        for number in range(self.count + 1):
            while following is not None and following.place == number:
                yield EvaluatedImage(
                    filename=following.filename,
                    true_label=self.classes[following.target],
                    label=None,
                    prob=None,
                    correct=None,
                    error=following.error,
                )
                following = next(unread, None)
            if number < self.count:
                target, answer = int(self.targets[number]), int(self.predictions[number])
                yield EvaluatedImage(
                    filename=self.filenames[number],
                    true_label=self.classes[target],
                    label=self.classes[answer],
                    prob=float(self.prob[number]),
                    correct=target == answer,
                    error=None,
                )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `--format json`."""
        return {
            "model": self.model,
            "count": self.count,
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "trained_on": self.trained_on,
            "left_out": self.left_out,
            "published": None if self.published is None else asdict(self.published),
            "per_class": {name: {"count": c.count, "top1": c.top1} for name, c in self.per_class.items()},
        }
