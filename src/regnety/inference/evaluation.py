"""Accuracy of a model on labelled photographs, with the exact way to pixels, in float32 unless told otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.datasets.class_matching import class_indices, matcher_of
from regnety.datasets.folders import Sample
from regnety.errors import DataError
from regnety.inference.predictor import Predictor, softmax
from regnety.preprocessing import PerChannel
from regnety.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAccuracy:
    """Of one class."""

    count: int
    top1: float
    """In percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How often a model was right."""

    model: str
    count: int
    """Photographs that could be read."""
    top1: float
    """In percent."""
    top5: float
    """In percent; of all classes where there are fewer than five."""
    loss: float
    """Mean cross-entropy."""
    per_class: dict[str, ClassAccuracy]
    """By the class's label, which of two classes of one name has what tells them apart behind it: crane (n02012849)."""
    errors: tuple[str, ...]
    """A line for each photograph that could not be read."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `--format json`."""
        return {
            "model": self.model,
            "count": self.count,
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "per_class": {name: {"count": c.count, "top1": c.top1} for name, c in self.per_class.items()},
        }


def evaluate(
    bundle: Bundle,
    samples: Sequence[Sample],
    *,
    engine: str = "auto",
    precision: str | None = None,
    image_size: int | None = None,
    crop_pct: float | None = None,
    use_test_size: bool = False,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    interpolation: str | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Ask a model about every photograph, in the exact way; classes are matched by name (`ClassMatcher`).

    Args:
        bundle: the model.
        samples: labelled photographs.
        engine: as for `Predictor`.
        precision: as for `Predictor`; None is `f32`, or `int8` for a model that is quantized.
        image_size: as for `Predictor`.
        crop_pct: as for `Predictor`.
        use_test_size: as for `Predictor`.
        mean: as for `Predictor`.
        std: as for `Predictor`.
        interpolation: as for `Predictor`.
        workers: as for `Predictor`.
        quiet: no progress.

    Raises:
        DataError: one of the classes is none of the model's, or its name means several; or no photograph could be read.
    """
    indices = class_indices(bundle, samples)
    if precision is None:
        precision = "f32" if bundle.metadata.calibration is None else "int8"
    predictor = Predictor(
        bundle,
        engine=engine,
        precision=precision,
        pixels="exact",
        exif_orientation=bundle.preprocessing.exif_orientation,
        image_size=image_size,
        crop_pct=crop_pct,
        use_test_size=use_test_size,
        mean=mean,
        std=std,
        interpolation=interpolation,
        workers=workers,
    )
    targets: list[int] = []
    ranks: list[int] = []
    losses: list[float] = []
    errors: list[str] = []
    with Progress("evaluating", total=len(samples), quiet=quiet) as progress:
        # An iterator: for a list the fastest engine is found, and the same command would give another loss elsewhere.
        outputs = predictor.outputs(sample.path for sample in samples)
        for target, output in zip(indices, outputs, strict=True):
            if output.outputs is None:
                errors.append(str(output.error))
            else:
                logits = output.outputs["logits"]
                targets.append(target)
                ranks.append(int(np.flatnonzero(np.argsort(-logits, kind="stable") == target)[0]))
                losses.append(-float(np.log(max(softmax(logits)[target], np.finfo(np.float64).tiny))))
            progress.advance()
    if not targets:
        raise DataError(f"none of the {len(samples)} photographs could be read; the first: {errors[0]}")
    rank, target_of = np.array(ranks), np.array(targets)
    names = matcher_of(bundle).names()
    return Evaluation(
        model=bundle.name,
        count=len(rank),
        top1=_percent(rank < 1),
        top5=_percent(rank < 5),
        loss=float(np.mean(losses)),
        per_class={
            names[number]: ClassAccuracy(
                count=int((target_of == number).sum()), top1=_percent(rank[target_of == number] < 1)
            )
            for number in sorted(set(targets))
        },
        errors=tuple(errors),
    )


def _percent(right: "np.ndarray[Any, np.dtype[np.bool_]]") -> float:
    return 100 * int(right.sum()) / len(right)
