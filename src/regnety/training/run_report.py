"""The report of a finished run: report.html, and beside it what the page says."""

import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import DataSplits, Sample
from regnety.inference.engines.processor import processor
from regnety.inference.evaluation_result import EvaluationResult
from regnety.notices import say
from regnety.reports.class_maps import class_maps_of
from regnety.reports.content import ReportContent, ScoredPhotographs
from regnety.reports.curves import training_curves
from regnety.reports.pictures import with_pictures
from regnety.reports.report import REPORT_FILE, write_report
from regnety.reports.stored_content import CONTENT_FILE, save_content
from regnety.training.batch_plan import class_indices
from regnety.training.session import Session

HAS_CHOSEN = "There is no test/: these photographs have chosen the epoch too, so expect a little less on new ones."
"""Beside a verdict about the validation pictures."""


def write_run_report(
    run: Path,
    session: Session,
    splits: DataSplits,
    val: Sequence[Sample],
    bundle: Bundle,
    tested: EvaluationResult | None,
    *,
    quiet: bool,
) -> None:
    """Write report.html and what it is made from: the answers to the test pictures, or else to those of validation.

    There is none without such pictures, or where two of them have one name.

    Args:
        run: the run's folder.
        session: which has ended.
        splits: the data.
        val: the pictures that chose the best epoch.
        bundle: the finished model.
        tested: its answers to the test pictures, with probabilities; None without such pictures.
        quiet: do not say where it is.
    """
    scored = _tested(tested) if tested is not None else _validated(session, splits, val) if val else None
    if scored is None or len(set(scored.names)) < len(scored):
        return
    images_of = Counter(sample.label for sample in splits.train)
    progression, recipe, size = session.progression, session.recipe, session.preprocessing.image_size
    device = {} if session.device.is_processor else {"device": session.device.name}
    content = ReportContent(
        model=bundle.name,
        classes=splits.classes,
        scored=scored,
        method=f"trained by the recipe {recipe.name}, {progression.epochs_done} epochs",
        counts={
            name: len(samples)
            for name, samples in (("train", splits.train), ("val", splits.val), ("test", splits.test))
            if samples
        },
        training_counts=tuple(images_of[name] for name in splits.classes),
        curves=training_curves(progression.history, best_epoch=progression.best_epoch or None),
        seconds={"training": progression.seconds},
        command=bundle.provenance.get("command"),
        seed=recipe.seed,
        facts={
            "input": f"{size}x{size} pixels",
            **device,
            **({"processor": name} if (name := processor().name) else {}),
            "versions": f"regnety {version.__version__}, Python {platform.python_version()}",
        },
        notices=() if tested is not None else (HAS_CHOSEN,),
        errors=() if tested is None else tested.errors,
    )
    images: dict[str, Any] = {sample.name: sample.image for sample in (splits.test if tested is not None else val)}
    content = with_pictures(content, images, class_maps=class_maps_of(bundle))
    save_content(run / CONTENT_FILE, content)
    say(f"report: {write_report(run / REPORT_FILE, content)}", quiet=quiet)


def _tested(result: EvaluationResult) -> ScoredPhotographs:
    return ScoredPhotographs(
        split="test",
        names=result.filenames,
        targets=result.targets,
        predictions=result.predictions,
        probabilities=result.probabilities,
        loss=result.loss,
        top5=result.top5,
    )


def _validated(session: Session, splits: DataSplits, val: Sequence[Sample]) -> ScoredPhotographs:
    """Where the network was trained: on a graphics card a large one would take the processor hours."""
    probabilities = session.probabilities(val, splits.classes)
    return ScoredPhotographs(
        split="validation",
        names=tuple(sample.name for sample in val),
        targets=class_indices(val, splits.classes),
        predictions=np.argmax(probabilities, axis=1).astype(np.int64),
        probabilities=probabilities,
    )
