"""How good a classifier is, photograph by photograph: on a split, or on folds of what it was fitted on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.finetuning.timing import EvaluationTime
from regnety.inference.evaluation import evaluate
from regnety.inference.evaluation_result import EvaluatedImage
from regnety.inference.options import RunOptions
from regnety.reports.probabilities import at_temperature
from regnety.text import counted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """N photographs that were scored by a classifier that had not seen them."""

    split: str
    """`test`, `val`, `held out` of train for the whole run, or `train`: then each was answered by a classifier of the
    folds that it was not in."""
    names: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    """[N], their classes."""
    probabilities: npt.NDArray[np.float32]
    """[N, C]."""
    classes: tuple[str, ...]
    """Names of the C classes."""
    unread: tuple[EvaluatedImage, ...] = ()
    """Photographs that could not be read."""
    notice: str | None = None
    """What a reader of these figures should know."""

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """[N], the first answers."""
        answers: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers

    @property
    def top1(self) -> float:
        """In percent."""
        return 100 * int((self.predictions == self.targets).sum()) / len(self.targets)

    def at_temperature(self, temperature: float) -> "Scored":
        """As the same model answers with its logits divided by a temperature."""
        return replace(self, probabilities=at_temperature(self.probabilities, temperature))

    def images(self) -> list[EvaluatedImage]:
        """Every photograph with its class and the answer; last those that could not be read."""
        answers = zip(self.names, self.targets.tolist(), self.predictions.tolist(), self.probabilities, strict=True)
        rows = [
            EvaluatedImage(
                filename=name,
                true_label=self.classes[target],
                label=self.classes[answer],
                prob=float(probabilities[answer]),
                correct=target == answer,
                error=None,
            )
            for name, target, answer, probabilities in answers
        ]
        return [*rows, *self.unread]


def scored_by_model(
    bundle: Bundle, split: str, samples: Sequence[Sample], options: RunOptions, *, quiet: bool
) -> Scored:
    """What `regnety eval` says of a split: timm's pixels to the last bit.

    Args:
        bundle: the model.
        split: what its photographs are.
        samples: its photographs.
        options: engine, threads and the limit of pixels; what the model is shown is in the bundle.
        quiet: no progress.
    """
    how = RunOptions(
        engine=options.engine, precision=options.precision, workers=options.workers, max_pixels=options.max_pixels
    )
    result = evaluate(bundle, samples, options=how, probabilities=True, quiet=quiet)
    assert result.probabilities is not None  # asked for
    return Scored(
        split=split,
        names=result.filenames,
        targets=result.targets,
        probabilities=result.probabilities,
        classes=result.classes,
        unread=tuple(image for image in result.images() if image.error is not None),
        notice=result.notice,
    )


def timed_score(
    bundle: Bundle, split: str, samples: Sequence[Sample], options: RunOptions, *, timed: bool, quiet: bool
) -> tuple[Scored, EvaluationTime | None]:
    """`scored_by_model`, and what it took if that is asked for: then the first photograph is scored alone before."""
    if not timed:
        return scored_by_model(bundle, split, samples, options, quiet=quiet), None
    began = time.monotonic()
    scored_by_model(bundle, split, samples[:1], options, quiet=True)
    started = time.monotonic()
    scored = scored_by_model(bundle, split, samples, options, quiet=quiet)
    ended = time.monotonic()
    return scored, EvaluationTime(start_s=started - began, photograph_s=(ended - started) / len(samples))


def scored_by_folds(
    samples: Sequence[Sample],
    labels: npt.NDArray[np.int64],
    out_of_sample: npt.NDArray[np.float32],
    classes: Sequence[str],
    judged: npt.NDArray[np.bool_],
) -> Scored:
    """Training photographs, each answered by a classifier that was fitted without it and its fold.

    Those that are the only ones of their class outside of their fold are left out: the others cannot answer with it.
    """
    left_out = int((~judged).sum()) if judged.any() else 0
    kept = judged if left_out else np.ones(len(labels), bool)
    return Scored(
        split="train",
        names=tuple(sample.name for sample, is_kept in zip(samples, kept, strict=True) if is_kept),
        targets=labels[kept],
        probabilities=out_of_sample[kept],
        classes=tuple(classes),
        notice=None
        if not left_out
        else f"Nothing says how good it is on {counted(left_out, 'photograph')} of "
        f"{counted(len(np.unique(labels[~judged])), 'class', 'classes')}, as there are no others of the class than "
        "copies or those of one group",
    )
