"""Accuracy of a model on labelled photographs, with the exact way to pixels, in float32 unless told otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regnety.bundle.bundle import Bundle
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
    """Ask a model about every photograph, in the exact way; classes are matched by name.

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
        DataError: the model has no labels, or none for one of the classes; or no photograph could be read.
    """
    if bundle.labels is None:
        raise DataError(f"{bundle.name}: has no class names, so its answers cannot be compared with folders")
    index = {label: number for number, label in enumerate(bundle.labels)}
    for sample in samples:
        if sample.label not in index:
            raise DataError(f"{sample.path.parent}: {bundle.name} has no class named {sample.label!r}")
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
        for sample, output in zip(samples, outputs, strict=True):
            if output.outputs is None:
                errors.append(str(output.error))
            else:
                logits, target = output.outputs["logits"], index[sample.label]
                targets.append(target)
                ranks.append(int(np.flatnonzero(np.argsort(-logits, kind="stable") == target)[0]))
                losses.append(-float(np.log(max(softmax(logits)[target], np.finfo(np.float64).tiny))))
            progress.advance()
    if not targets:
        raise DataError(f"none of the {len(samples)} photographs could be read; the first: {errors[0]}")
    rank, target_of = np.array(ranks), np.array(targets)
    return Evaluation(
        model=bundle.name,
        count=len(rank),
        top1=_percent(rank < 1),
        top5=_percent(rank < 5),
        loss=float(np.mean(losses)),
        per_class={
            bundle.labels[number]: ClassAccuracy(
                count=int((target_of == number).sum()), top1=_percent(rank[target_of == number] < 1)
            )
            for number in sorted(set(targets))
        },
        errors=tuple(errors),
    )


def _percent(right: "np.ndarray[Any, np.dtype[np.bool_]]") -> float:
    return 100 * int(right.sum()) / len(right)
