"""The end of a run: the model is scored and kept, with its mistakes, a report, and the result, which comes last."""

from dataclasses import dataclass, replace
from pathlib import Path

from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.samples import DataSplits
from regnety.finetuning.mistakes import write_mistakes
from regnety.finetuning.report import RunReport, write_run_report
from regnety.finetuning.result import BUNDLE_FOLDER, MISTAKES_FILE, FinetuneResult
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.finetuning.scoring import Scored, scored_by_model
from regnety.finetuning.timing import StageTimes
from regnety.inference.options import RunOptions

NOT_KEPT = ("minutes",)
"""Facts of a training that a repetition does not share: the same run gives the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedModel:
    """A model that a run has fitted."""

    bundle: Bundle
    """In memory; its provenance has everything but how good it is."""
    splits: DataSplits
    """The photographs, without those that are left out; what was held out of train is val here."""
    val: Scored
    """What it was chosen by; never what it was fitted on."""
    about: RunReport
    """What the report says of it."""
    epochs: int | None = None
    """Over all layers; None where the classifier alone was fitted."""
    has_all_layers: bool = False
    """Whether all layers are those of the training, not the classifier alone."""
    seconds_before: float = 0.0
    """Of other processes that worked on it."""


def keep_bundle(run: Path, fitted: FittedModel, *, test: Scored | None, quiet: bool) -> Bundle:
    """Write the bundle into the run's folder.

    Returns:
        The same in memory.
    """
    facts = {name: value for name, value in fitted.bundle.provenance.items() if name not in NOT_KEPT}
    facts["val_top1"] = round(fitted.val.top1, 3)
    if test is not None:
        facts |= {"test_top1": round(test.top1, 3), "test_pictures": len(test.names)}
    # A base was trained on pictures too; its own record is in the bundle that was made from it.
    training_files = TrainingFiles.of([sample.image for sample in fitted.splits.train], quiet=quiet)
    bundle = Bundle(
        replace(fitted.bundle.metadata, provenance=facts),
        fitted.bundle.weights,
        # Resolved, as `--output .` has no name of its own.
        name=run.resolve().name,
        training_files=training_files | fitted.bundle.training_files,
    )
    bundle.save(run / BUNDLE_FOLDER)
    return bundle


def finish(
    run: Path,
    fitted: FittedModel,
    settings: FinetuneSettings,
    options: RunOptions,
    *,
    report: bool,
    times: StageTimes,
    quiet: bool,
) -> tuple[FinetuneResult, Scored | None]:
    """Score the model on test, if there is one, and write everything that the run leaves.

    Returns:
        The result, and what is known of test.
    """
    splits = fitted.splits
    with times.stage("evaluation"):
        test = scored_by_model(fitted.bundle, "test", splits.test, options, quiet=quiet) if splits.test else None
    with times.stage("bundle"):
        bundle = keep_bundle(run, fitted, test=test, quiet=quiet)
    num_mistakes = write_mistakes(run / MISTAKES_FILE, (test or fitted.val).images())
    written = None
    if report:
        with times.stage("report"):
            written = write_run_report(run, bundle, test or fitted.val, splits, settings, fitted.about, times.seconds)
    result = FinetuneResult(
        bundle=run / BUNDLE_FOLDER,
        val_top1=fitted.val.top1,
        test_top1=None if test is None else test.top1,
        mistakes=run / MISTAKES_FILE,
        num_mistakes=num_mistakes,
        report=written,
        image_size=bundle.preprocessing.image_size,
        all_layers=fitted.has_all_layers,
        epochs=fitted.epochs,
        seconds=times.total + fitted.seconds_before,
    )
    result.write(run)
    return result, test
