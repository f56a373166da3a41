"""The report of a run: what it says, from what the run has found."""

import platform
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import ImageError
from regnety.finetuning.result import REPORT_FILE
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.finetuning.scoring import Scored
from regnety.heads.head import Head
from regnety.heads.label_issues import rank_label_issues
from regnety.images.sources import ImageSource
from regnety.inference.explanation import class_maps
from regnety.reports.content import ReportContent, ScoredPhotographs, SuspectLabel
from regnety.reports.pictures import with_pictures
from regnety.reports.report import write_report
from regnety.reports.stored_content import CONTENT_FILE, save_content

CALLED = {"train": "training", "val": "validation", "test": "test"}
"""What the photographs of a split are called in sentences."""


def write_run_report(
    run: Path,
    scored: Scored,
    splits: DataSplits,
    settings: FinetuneSettings,
    *,
    bundle: Bundle,
    temperature: float,
    method: str,
    suspects: Sequence[SuspectLabel],
    seconds: Mapping[str, float],
    facts: Mapping[str, str],
) -> Path:
    """Write report.html, and beside it what it says, from which it can be made again.

    Args:
        run: the run's folder.
        scored: the photographs that the verdict is about.
        splits: the data.
        settings: of the run.
        bundle: the model.
        temperature: by which its logits were divided.
        method: how it was made, as the rest of a sentence.
        suspects: labels that look wrong.
        seconds: what each part of the work took.
        facts: anything else that explains the figures.
    """
    notices = []
    if scored.split == "train":
        notices.append(
            "There is no val/ and no test/: each training photograph was answered by a classifier that was fitted "
            "without it, in five folds. The model in the bundle was fitted on all of them."
        )
    content = ReportContent(
        # Resolved, as `--output .` has no name of its own.
        model=run.resolve().name,
        classes=splits.classes,
        scored=ScoredPhotographs(
            split=CALLED[scored.split],
            names=scored.names,
            targets=scored.targets,
            predictions=scored.predictions,
            probabilities=scored.probabilities,
            uncalibrated=before_temperature(scored.probabilities, temperature),
        ),
        method=method,
        counts={split: len(getattr(splits, split)) for split in CALLED if getattr(splits, split)},
        training_counts=tuple(sum(sample.label == name for sample in splits.train) for name in splits.classes),
        temperature=temperature,
        suspects=tuple(suspects),
        seconds=seconds,
        command=settings.command,
        seed=settings.seed,
        facts={**facts, "versions": f"regnety {version.__version__}, Python {platform.python_version()}"},
        notices=tuple(notices),
        errors=tuple(image.error for image in scored.unread if image.error is not None),
    )
    images: dict[str, Any] = {sample.name: sample.image for sample in (*splits.train, *splits.val, *splits.test)}
    content = with_pictures(content, images, class_maps=partial(_overlays, bundle))
    save_content(run / CONTENT_FILE, content)
    return write_report(run / REPORT_FILE, content)


def suspect_labels(samples: Sequence[Sample], labels: npt.NDArray[np.int64], head: Head) -> tuple[SuspectLabel, ...]:
    """Training photographs whose label looks wrong to the classifier of a fold without them, the worst first.

    Args:
        samples: the training photographs.
        labels: [N], their classes.
        head: fitted on them.
    """
    if head.out_of_sample is None:
        return ()
    return tuple(
        SuspectLabel(
            name=samples[issue.row].name,
            label=issue.label,
            suggestion=issue.suggestion,
            self_confidence=issue.self_confidence,
            prob=issue.prob,
        )
        for issue in rank_label_issues(labels, head.out_of_sample, judged=head.judged)
    )


def _overlays(
    bundle: Bundle, images: Sequence[ImageSource], classes: Sequence[int]
) -> list[npt.NDArray[np.uint8] | None]:
    """The crop of each with its class map laid over it; None for an image that cannot be read."""
    maps = class_maps(bundle, images, classes)
    return [None if isinstance(found, ImageError) else np.asarray(found.overlay(), np.uint8) for found in maps]


def before_temperature(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Softmax of the logits z, from that of z / temperature: z is the temperature times its logarithm, and a constant.

    Args:
        probabilities: [N, C], after the temperature.
        temperature: above 0.
    """
    logits = temperature * np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: npt.NDArray[np.float32] = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    return result
