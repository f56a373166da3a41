"""Accuracy of a model on labelled photographs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.datasets.class_matching import class_indices, matcher_of
from regnety.datasets.folders import read_evaluation_folder
from regnety.datasets.held_out import scored_samples
from regnety.datasets.samples import Sample
from regnety.errors import DataError
from regnety.inference.options import RunFields, RunOptions
from regnety.inference.predictor import Predictor, softmax
from regnety.progress import Progress


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
class Evaluation:
    """How often a model was right.

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
            "per_class": {name: {"count": c.count, "top1": c.top1} for name, c in self.per_class.items()},
        }


def evaluate(
    model: str | Path | Bundle,
    data: str | Path | Sequence[Sample],
    *,
    options: RunOptions | None = None,
    held_out_only: bool = False,
    quiet: bool = False,
    **changes: Unpack[RunFields],
) -> Evaluation:
    """Measure a model's accuracy on labelled photographs; classes are matched by name.

    Photographs that the model was trained on count too. `regnety eval` omits them; `held_out_only=True` does the same.

    Args:
        model: whatever a model may be (`Bundle.load`).
        data: a folder with one sub-folder per class, or with such folders in `test` or `val`; or labelled photographs.
        options: how the model is run and what it is shown. By default as published accuracies are measured: timm's
            pixels to the last bit, orientation as in training, in f32, or in int8 if the model is quantized.
        held_out_only: omit photographs that the model was trained on, unless it was trained on all of them.
        quiet: show no progress.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Returns:
        Accuracies in percent, of all photographs that could be read and of each class.

    Raises:
        DataError: a class is not one of the model's, or its name means several; or no photograph can be read.
    """
    bundle = Bundle.load(model)
    samples = read_evaluation_folder(Path(data)) if isinstance(data, str | Path) else data
    class_indices(bundle, samples)  # refuses unknown classes before `scored_samples` hashes every file
    scored = scored_samples(bundle, samples, held_out_only=held_out_only, quiet=quiet)
    samples, indices = scored.samples, class_indices(bundle, scored.samples)
    # Not those of `Predictor`: a figure is compared with published ones, which come from timm's pixels in f32.
    options = (options or RunOptions()).with_defaults({"precision": "int8" if bundle.is_quantized else "f32"})
    shown: RunFields = {"pixels": "exact", "exif_orientation": bundle.preprocessing.exif_orientation}
    predictor = Predictor(bundle, options=replace(options, **changes).with_defaults(shown))
    targets: list[int] = []
    trained_on: list[bool | None] = []
    ranks: list[int] = []
    losses: list[float] = []
    errors: list[str] = []
    with Progress("evaluating", total=len(samples), quiet=quiet) as progress:
        # A generator has no length: for a list the fastest engine would be looked for, whose loss differs in the last
        # digits, so that the same command would give another number on another machine.
        outputs = predictor.outputs(sample.image for sample in samples)
        for target, trained, output in zip(indices, scored.trained_on, outputs, strict=True):
            if output.outputs is None:
                errors.append(str(output.error))
            else:
                logits = output.outputs["logits"]
                targets.append(target)
                trained_on.append(trained)
                # Stable: of equal logits the first class counts as the answer, as in `predict`.
                ranks.append(int(np.flatnonzero(np.argsort(-logits, kind="stable") == target)[0]))
                # A probability may underflow to 0, whose logarithm would make the mean infinite.
                losses.append(-float(np.log(max(softmax(logits)[target], np.finfo(np.float64).tiny))))
            progress.advance()
    if not targets:
        raise DataError(f"no photograph could be read, of {len(samples)}; the first: {errors[0]}")
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
            for number in sorted(set(targets))  # classes without a photograph have no accuracy
        },
        errors=tuple(errors),
        trained_on=None if bundle.training_files is None else trained_on.count(True),
        left_out=scored.left_out,
        notice=None if bundle.training_files is None else _notice(bundle, trained_on, scored.left_out),
    )


def _notice(bundle: Bundle, trained_on: Sequence[bool | None], left_out: int) -> str | None:
    count = len(trained_on)
    if left_out:
        was = "was" if bundle.training_files is None or bundle.training_files.is_complete else "was or may have been"
        return (
            f"{bundle.name} {was} trained on {left_out} of the {left_out + count} photographs; "
            f"only the other {count} are scored"
        )
    if True not in trained_on:
        return None
    least = "at least " if None in trained_on else ""
    number = "all" if all(trained_on) else f"{least}{trained_on.count(True)} of the"
    return f"{bundle.name} was trained on {number} {count} photographs that are scored; expect less of it on new ones"


def _percent(right: "np.ndarray[Any, np.dtype[np.bool_]]") -> float:
    return 100 * int(right.sum()) / len(right)
