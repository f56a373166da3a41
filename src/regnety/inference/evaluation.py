"""Accuracy of a model on labelled photographs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.bundle.published_accuracy import published_accuracy_of
from regnety.datasets.class_matching import class_indices, matcher_of
from regnety.datasets.data_sets import read_data_set
from regnety.datasets.held_out import scored_samples
from regnety.datasets.samples import Sample
from regnety.errors import DataError
from regnety.inference.evaluation_result import ClassAccuracy, EvaluationResult, PublishedAccuracy, UnreadImage
from regnety.inference.options import RunFields, RunOptions
from regnety.inference.predictor import Predictor, softmax
from regnety.progress import Progress


def evaluate(
    model: str | Path | Bundle,
    data: str | Path | Sequence[Sample],
    *,
    split: str | None = None,
    labels_file: str | Path | None = None,
    options: RunOptions | None = None,
    held_out_only: bool = False,
    probabilities: bool = False,
    quiet: bool = False,
    **changes: Unpack[RunFields],
) -> EvaluationResult:
    """Measure a model's accuracy on labelled photographs; classes are matched by name.

    Photographs that the model was trained on count too. `regnety eval` omits them; `held_out_only=True` does the same.

    Args:
        model: whatever a model may be (`Bundle.load`).
        data: a data set (`regnety.datasets.data_sets.read_data_set`), of which `test`, else `val`, else all is taken;
            or labelled photographs.
        split: the name of another split of the data set.
        labels_file: of a folder without class folders the list of its images' classes: lines of a name and a class, or
            LOC_val_solution.csv of ImageNet.
        options: how the model is run and what it is shown. By default as published accuracies are measured: timm's
            pixels to the last bit, orientation as in training, in f32, or in int8 if the model is quantized.
        held_out_only: omit photographs that the model was trained on, unless it was trained on all of them.
        probabilities: keep the probability of every class for every photograph, 4 bytes each.
        quiet: show no progress.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Returns:
        Accuracies in percent, of all photographs that could be read and of each class; and the answer to each. It does
        not depend on the number of workers, nor on what else is evaluated with a photograph.

    Raises:
        DataError: a class is not one of the model's, or its name means several; no photograph can be read; or the data
            set is wrong or has no such split.
        ValueError: `split` or `labels_file` is given beside labelled photographs.
    """
    if isinstance(data, str | Path):
        samples: Sequence[Sample] = read_data_set(data, labels_file=labels_file, quiet=quiet).evaluation(split)
    elif split is None and labels_file is None:
        samples = data
    else:
        raise ValueError("split and labels_file belong to a data set on disk, not to labelled photographs")
    bundle = Bundle.load(model)
    class_indices(bundle, samples)  # refuses unknown classes before `scored_samples` hashes every file
    scored = scored_samples(bundle, samples, held_out_only=held_out_only, quiet=quiet)
    samples, indices = scored.samples, class_indices(bundle, scored.samples)
    # Not those of `Predictor`: a figure is compared with published ones, which come from timm's pixels in f32.
    options = (options or RunOptions()).with_defaults({"precision": "int8" if bundle.is_quantized else "f32"})
    shown: RunFields = {"pixels": "exact", "exif_orientation": bundle.preprocessing.exif_orientation}
    predictor = Predictor(bundle, options=replace(options, **changes).with_defaults(shown))
    names = matcher_of(bundle).names()
    answers = _Answers(probabilities)
    trained_on: list[bool | None] = []
    with Progress("evaluating", total=len(samples), quiet=quiet) as progress:
        # A generator has no length: for a list the fastest engine would be looked for, whose loss differs in the last
        # digits, so that the same command would give another number on another machine.
        outputs = predictor.outputs(sample.image for sample in samples)
        for sample, target, trained, output in zip(samples, indices, scored.trained_on, outputs, strict=True):
            if output.outputs is None:
                answers.add_unread(sample.name, target, str(output.error))
            else:
                answers.add(sample.name, target, output.outputs["logits"])
                trained_on.append(trained)
            progress.advance()
    if not answers.targets:
        raise DataError(f"no photograph could be read, of {len(samples)}; the first: {answers.unread[0].error}")
    assert predictor.plan is not None  # something was answered
    rank, targets = np.array(answers.ranks), np.array(answers.targets)
    top1, top5 = _percent(rank < 1), _percent(rank < 5)
    return EvaluationResult(
        model=bundle.name,
        count=len(rank),
        top1=top1,
        top5=top5,
        loss=float(np.mean(answers.losses)),
        per_class={
            names[number]: ClassAccuracy(
                count=int((targets == number).sum()), top1=_percent(rank[targets == number] < 1)
            )
            for number in sorted(set(answers.targets))  # classes without a photograph have no accuracy
        },
        errors=tuple(image.error for image in answers.unread),
        trained_on=None if bundle.training_files is None else trained_on.count(True),
        left_out=scored.left_out,
        notice=None if bundle.training_files is None else _notice(bundle, trained_on, scored.left_out),
        classes=names,
        filenames=tuple(answers.filenames),
        targets=targets,
        predictions=np.array(answers.predictions),
        prob=np.array(answers.prob),
        probabilities=np.stack(answers.probabilities) if probabilities else None,
        unread=tuple(answers.unread),
        engine=predictor.plan.engine,
        precision=predictor.plan.precision,
        preprocessing=predictor.bundle.preprocessing,
        published=_published(predictor.bundle, top1, top5),
    )


def _published(bundle: Bundle, top1: float, top5: float) -> PublishedAccuracy | None:
    found = published_accuracy_of(bundle)
    if found is None:
        return None
    weights, row = found
    return PublishedAccuracy(
        weights=weights.name,
        image_size=row.image_size,
        crop_pct=row.crop_pct,
        top1=row.top1,
        top5=row.top5,
        top1_difference=top1 - row.top1,
        top5_difference=top5 - row.top5,
    )


class _Answers:
    """What is known of each photograph so far."""

    def __init__(self, keeps_probabilities: bool) -> None:
        self._keeps_probabilities = keeps_probabilities
        self.filenames: list[str] = []
        self.targets: list[int] = []
        self.predictions: list[int] = []
        self.prob: list[float] = []
        self.ranks: list[int] = []
        self.losses: list[float] = []
        self.probabilities: list[npt.NDArray[np.float32]] = []
        self.unread: list[UnreadImage] = []

    def add(self, filename: str, target: int, logits: npt.NDArray[np.float32]) -> None:
        """A photograph with the model's logits [num_classes]."""
        probabilities = softmax(logits)
        # Stable: of equal logits the first class counts as the answer, as in `predict`.
        order = np.argsort(-logits, kind="stable")
        answer = int(order[0])
        self.filenames.append(filename)
        self.targets.append(target)
        self.predictions.append(answer)
        self.prob.append(float(probabilities[answer]))
        self.ranks.append(int(np.flatnonzero(order == target)[0]))
        # A probability may underflow to 0, whose logarithm would make the mean infinite.
        self.losses.append(-float(np.log(max(probabilities[target], np.finfo(np.float64).tiny))))
        if self._keeps_probabilities:
            self.probabilities.append(probabilities.astype(np.float32))

    def add_unread(self, filename: str, target: int, error: str) -> None:
        """A photograph that could not be read."""
        self.unread.append(UnreadImage(filename=filename, target=target, error=error, place=len(self.targets)))


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


def _percent(right: npt.NDArray[np.bool_]) -> float:
    return 100 * int(right.sum()) / len(right)
