"""The report of a run: what it says, from what the run has found."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety import version
from regnety.datasets.samples import DataSplits
from regnety.finetuning.result import REPORT_FILE
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.finetuning.scoring import Scored
from regnety.reports.content import ReportContent, ScoredPhotographs
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
    method: str,
    temperature: float,
    seconds: Mapping[str, float],
    facts: Mapping[str, str],
) -> Path:
    """Write report.html, and beside it what it says, from which it can be made again.

    Args:
        run: the run's folder.
        scored: the photographs that the verdict is about.
        splits: the data.
        settings: of the run.
        method: how the model was made, as the rest of a sentence.
        temperature: by which the logits were divided.
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
        seconds=seconds,
        command=settings.command,
        seed=settings.seed,
        facts={**facts, "versions": f"regnety {version.__version__}, Python {platform.python_version()}"},
        notices=tuple(notices),
        errors=tuple(image.error for image in scored.unread if image.error is not None),
    )
    images: dict[str, Any] = {sample.name: sample.image for sample in (*splits.train, *splits.val, *splits.test)}
    content = with_pictures(content, images)
    save_content(run / CONTENT_FILE, content)
    return write_report(run / REPORT_FILE, content)


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
