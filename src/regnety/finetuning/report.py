"""The report of a run: what it says, from what the run has found."""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import DataSplits, Sample
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.finetuning.scoring import Scored
from regnety.heads.head import Head
from regnety.heads.label_issues import rank_label_issues
from regnety.inference.engines.processor import available_cores, processor
from regnety.reports.class_maps import class_maps_of
from regnety.reports.content import AugmentedPhotograph, Curve, Finding, ReportContent, ScoredPhotographs, SuspectLabel
from regnety.reports.evaluation_report import CALLED
from regnety.reports.pictures import with_pictures
from regnety.reports.report import REPORT_FILE, write_report
from regnety.reports.stored_content import CONTENT_FILE, save_content
from regnety.text import counted

NOTICES = {
    "train": "There is no val/ and no test/: each training photograph was answered by a classifier that was fitted "
    "without it, in five folds. The model in the bundle was fitted on all of them.",
    "val": "There is no test/: the photographs of val/ have chosen the model too, so expect a little less on new ones.",
    "held out": "There is no val/ and no test/: a tenth of the training photographs was held out (split.json). It has "
    "chosen the epoch too, so expect a little less on new ones.",
}
"""Beside the verdict, by the photographs that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a report says of a run beyond how good its model is."""

    method: str
    """How the model was made, as the rest of a sentence."""
    temperature: float
    """By which its logits were divided."""
    suspects: tuple[SuspectLabel, ...] = ()
    """Labels that look wrong."""
    findings: tuple[Finding, ...] = ()
    """Of the data check."""
    curves: tuple[Curve, ...] = ()
    """Of the training."""
    augmented: tuple[AugmentedPhotograph, ...] = ()
    """What training made of photographs."""


def write_run_report(
    run: Path,
    bundle: Bundle,
    scored: Scored,
    splits: DataSplits,
    settings: FinetuneSettings,
    about: RunReport,
    seconds: Mapping[str, float],
) -> Path:
    """Write report.html, and beside it what it says, from which it can be made again.

    Args:
        run: the run's folder.
        bundle: the model.
        scored: the photographs that the verdict is about.
        splits: the data.
        settings: of the run.
        about: the rest of what it says.
        seconds: what each part of the work took.
    """
    images_of = Counter(sample.label for sample in splits.train)
    size = bundle.preprocessing.image_size
    content = ReportContent(
        model=bundle.name,
        classes=splits.classes,
        scored=ScoredPhotographs(
            split=CALLED.get(scored.split, "held-out"),
            names=scored.names,
            targets=scored.targets,
            predictions=scored.predictions,
            probabilities=scored.probabilities,
            uncalibrated=scored.at_temperature(1 / about.temperature).probabilities,
        ),
        method=about.method,
        counts={split: len(samples) for split, samples in _by_split(splits).items() if samples},
        training_counts=tuple(images_of[name] for name in splits.classes),
        temperature=about.temperature,
        suspects=about.suspects,
        curves=about.curves,
        augmented=about.augmented,
        findings=about.findings,
        seconds=seconds,
        command=settings.command,
        seed=settings.seed,
        facts={
            "input": f"{size}x{size} pixels",
            "processor": f"{processor().name or 'unknown'}, {counted(available_cores(), 'core')}",
            "versions": f"regnety {version.__version__}, Python {platform.python_version()}",
        },
        notices=(
            *((NOTICES[scored.split],) if scored.split in NOTICES else ()),
            *(() if scored.notice is None else (f"{scored.notice}.",)),
        ),
        errors=tuple(image.error for image in scored.unread if image.error is not None),
    )
    images: dict[str, Any] = {sample.name: sample.image for sample in (*splits.train, *splits.val, *splits.test)}
    content = with_pictures(content, images, class_maps=class_maps_of(bundle))
    save_content(run / CONTENT_FILE, content)
    return write_report(run / REPORT_FILE, content)


def _by_split(splits: DataSplits) -> dict[str, tuple[Sample, ...]]:
    return {"train": splits.train, "val": splits.val, "test": splits.test}


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
