"""All layers after the classifier: within what is left of the time, and calibrated anew."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import DataSplits
from regnety.finetuning.all_layers import LayersOptions, fit_all_layers
from regnety.finetuning.finishing import FittedModel
from regnety.finetuning.planning import TooShortError, read_plan
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.finetuning.scoring import Scored, scored_by_model
from regnety.finetuning.timing import EvaluationTime, StageTimes
from regnety.heads.calibration import fit_temperature
from regnety.heads.folding import with_temperature
from regnety.inference.options import RunOptions
from regnety.reports.content import AugmentedPhotograph
from regnety.reports.curves import training_curves
from regnety.reports.pictures import encoded_pixels
from regnety.training.batches import training_batches

FEWEST_CALIBRATED = 50
"""Photographs of validation below which a temperature would be an accident."""
REPORT_S = 2.2
"""Seconds for what has a fixed cost after the training: the report, and the start and end of the process."""
AUGMENTED_PHOTOGRAPHS, VARIANTS = 6, 6
"""Photographs of which the report shows what augmentation made, and how often."""
SPARE = 1.2
"""What an evaluation may take, as a multiple of what it took before the training."""


def fit_all_layers_within(
    run: Path,
    head: FittedModel,
    settings: FinetuneSettings,
    options: RunOptions,
    *,
    evaluation: EvaluationTime,
    times: StageTimes,
    quiet: bool,
) -> FittedModel:
    """Train all layers from a fitted classifier on.

    Args:
        run: the run's folder.
        head: the model with the classifier, which was not fitted on val; that chooses the best epoch.
        settings: of the run; its time limit is that of the whole command.
        options: how the model is run for evaluation.
        evaluation: what it took before the training.
        times: since the command began.
        quiet: say nothing on stderr.

    Returns:
        The model after all layers; the classifier alone where they were no better, or the time limit is too short for
        them.
    """
    splits = head.splits
    afterwards_s = REPORT_S + SPARE * evaluation.seconds(len(splits.val), len(splits.test))
    limit = None if settings.time_limit_s is None else settings.time_limit_s - times.total - afterwards_s
    if limit is not None and limit <= 0 and read_plan(run) is None:  # repeated work may exceed the limit
        needed = math.ceil(times.total + afterwards_s)
        return _classifier_alone(
            head,
            f"the time limit leaves nothing for training all layers: the classifier, evaluation and report alone take "
            f"{needed} s here",
            quiet=quiet,
        )
    try:
        with times.stage("all layers"):
            result = fit_all_layers(
                run,
                head.bundle,
                splits,
                options=LayersOptions(
                    epochs=settings.epochs,
                    patience=settings.patience or 0,
                    time_limit_s=limit,
                    image_size=options.image_size if "image_size" in settings.shown else None,
                    balanced=settings.class_weights == "balanced",
                ),
                seed=settings.seed,
                quiet=quiet,
            )
    except TooShortError as error:
        return _classifier_alone(head, str(error), quiet=quiet)
    with times.stage("evaluation"):
        val = scored_by_model(result.bundle, head.val.split, splits.val, options, quiet=quiet)
    if val.top1 < head.val.top1:
        # As where no epoch made up, at the smaller size that the time allowed, for what the classifier sees at its own.
        about = replace(head.about, method=f"{head.about.method}, as all layers were no better")
        return replace(head, about=about, epochs=result.epochs)
    temperature = _temperature(val)
    best = result.bundle.provenance.get("best_epoch")
    return FittedModel(
        splits=splits,
        bundle=with_temperature(result.bundle, temperature),
        val=val.at_temperature(temperature),
        about=replace(
            head.about,
            method=f"{head.about.method}, then all layers for {result.epochs} epochs",
            temperature=temperature,
            curves=training_curves(result.history, best_epoch=best if isinstance(best, int) else None),
            augmented=_augmented(run, result.bundle, splits),
        ),
        epochs=result.epochs,
        has_all_layers=True,
        seconds_before=max(0.0, result.seconds - times.seconds["all layers"]),
    )


def _classifier_alone(head: FittedModel, why: str, *, quiet: bool) -> FittedModel:
    if not quiet:
        print(
            f"regnety: {why}; the classifier alone is kept; allow more time for all layers", file=sys.stderr, flush=True
        )
    return replace(head, about=replace(head.about, method=f"{head.about.method}, as there was no time for all layers"))


def _temperature(val: Scored) -> float:
    """What calibrates the model on photographs that it was not fitted on; 1 where they are too few to tell."""
    if len(val.names) < FEWEST_CALIBRATED or val.top1 == 100:
        return 1.0
    return fit_temperature(np.log(np.maximum(val.probabilities, np.finfo(np.float32).tiny)), val.targets)


def _augmented(run: Path, bundle: Bundle, splits: DataSplits) -> tuple[AugmentedPhotograph, ...]:
    """What training made of some photographs: one of each of the first classes, in several epochs."""
    plan = read_plan(run)
    assert plan is not None  # the training has written it
    first = {sample.label: sample for sample in reversed(splits.train)}
    shown = []
    for name in splits.classes[:AUGMENTED_PHOTOGRAPHS]:
        batches = training_batches(
            [first[name]],
            splits.classes,
            bundle.preprocessing,
            plan.recipe.augmentation,
            batch_size=1,
            seed=plan.recipe.seed,
            quiet=True,
        )
        variants = [np.asarray(pixels[0]) for epoch in range(VARIANTS) for pixels, _ in batches.epoch(epoch)]
        shown.append(AugmentedPhotograph(name=first[name].name, variants=tuple(map(encoded_pixels, variants))))
    return tuple(shown)
