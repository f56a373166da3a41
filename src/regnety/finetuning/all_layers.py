"""All layers: a network whose classifier has been fitted is trained from there on (LP-FT, arXiv 2202.10054)."""

import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import DataSplits
from regnety.finetuning.layer_recipe import DEFAULT_EPOCHS, layer_recipe
from regnety.finetuning.planning import Plan, Revision, epochs_that_fit, read_plan
from regnety.finetuning.start import fit_start
from regnety.finetuning.trial_steps import plan_within
from regnety.metadata.model_metadata import ModelMetadata
from regnety.notices import say
from regnety.preprocessing import Preprocessing
from regnety.text import counted
from regnety.training.batches import EvaluationBatches
from regnety.training.devices import PROCESSOR
from regnety.training.kept_pictures import TrainingImages, training_images
from regnety.training.recipe_session import recipe_batches
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_bundle import facts_of_training
from regnety.training.run_folder import write_history
from regnety.training.run_notices import epoch_line
from regnety.training.session import Session
from regnety.training.starting_point import start_from
from regnety.training.torch_threads import with_torch_threads

KEPT_CHECKPOINTS = 2
LAST_EPOCHS = 3
"""By whose mean time it is judged how many more fit into a time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersOptions:
    """What is asked of a training of all layers.

    Args:
        epochs: passes over the training photographs; None is 20, or what fits into the time limit.
        time_limit_s: seconds for all that `fit_all_layers` does; the caller subtracts what has passed of the command
            and what it needs afterwards. The first steps are measured and the rest is planned by them; epochs are left
            out or added where the machine turns out to be slower or faster.
        image_size: height and width of the input in pixels; None is the size that the model is shown, or a smaller one
            where the time limit is short.
        balanced: count every class the same, however many photographs it has.
        patience: end after so many epochs without a better one; 0 trains all epochs.
    """

    epochs: int | None = None
    time_limit_s: float | None = None
    image_size: int | None = None
    balanced: bool = False
    patience: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayersResult:
    """A network of which all layers were trained.

    Args:
        bundle: in memory; its provenance is that of the model that was given, and how it was trained.
        val_top1: in percent, of the weights that were kept; None without validation photographs.
        start_top1: in percent, of the weights at the start; None without validation photographs.
        history: a row for each epoch, as in metrics.jsonl.
        epochs: that were trained, each with a validation.
        passes: over the training photographs; with a time limit an epoch is not one pass.
        image_size: height and width of the input in pixels.
        seconds: of training, without the time between a kill and its resume.
    """

    bundle: Bundle
    val_top1: float | None
    start_top1: float | None
    history: tuple[dict[str, Any], ...]
    epochs: int
    passes: float
    image_size: int
    seconds: float


def fit_all_layers(
    run: Path, bundle: Bundle, splits: DataSplits, *, options: LayersOptions, seed: int = 0, quiet: bool = False
) -> LayersResult:
    """Train all layers of a model whose classifier has been fitted.

    The classifier is fitted anew to what the network makes of the photographs while it is trained, and the weights with
    that count as the first epoch.

    The run's folder gets plan.json, metrics.jsonl, summary.csv and checkpoints/. If it has them already, the run goes
    on where it was, by its own plan, and ends with the weights of one that nobody disturbed. The caller is alone in
    the folder and has checked that it is asked for the same.

    Args:
        run: the run's folder.
        bundle: the model, with the classes of the splits as its labels. Its classifier was not fitted on the
            validation photographs, or the best epoch would be chosen wrongly.
        splits: the photographs; `val` chooses the best epoch, and without any the last one is kept.
        options: what is asked for.
        seed: of the order of the photographs and of their augmentation.
        quiet: say nothing on stderr.

    Raises:
        ImageError: a photograph cannot be read.
        RecipeError: the plan or a checkpoint is damaged, the loss is not finite, or the time limit is too short
            (`TooShortError`).
        WeightsError: the model is quantized to int8.
    """
    began = time.monotonic()
    sessions = _Sessions(bundle, splits, quiet=quiet)
    plan, ends = read_plan(run), None
    if plan is None:
        plan = _plan(run, bundle, splits, options, sessions, seed=seed, began=began)
        plan.write(run)
        # A resumed run keeps what is planned: work that a kill made it repeat has no place in the time limit.
        ends = None if options.time_limit_s is None else began + options.time_limit_s
    session = sessions.of(plan.recipe)
    session.restore(run, begun_for=plan.recipe.epochs)
    with with_torch_threads(plan.threads):
        _train(run, session, plan, bundle, splits, ends=ends, quiet=quiet)
    progression = session.progression
    return LayersResult(
        bundle=Bundle(
            _metadata(session, bundle, splits),
            {key: value.contiguous().numpy() for key, value in session.best.items()},
            name=bundle.name,
            training_files=bundle.training_files,
        ),
        val_top1=progression.best_top1 if splits.val else None,
        start_top1=progression.start_top1,
        history=tuple(progression.history),
        epochs=progression.epochs_done,
        image_size=session.preprocessing.image_size,
        passes=round(plan.passes * progression.epochs_done / plan.recipe.epochs, 2),
        seconds=progression.seconds,
    )


class _Sessions:
    """Sessions of one model on the same photographs, which are read once."""

    def __init__(self, bundle: Bundle, splits: DataSplits, *, quiet: bool) -> None:
        self._bundle = bundle
        self._splits = splits
        self._quiet = quiet
        self._images: TrainingImages | None = None
        self._validation: dict[Preprocessing, EvaluationBatches] = {}

    def of(self, recipe: Recipe) -> Session:
        """A session from the model's weights."""
        splits = self._splits
        start = start_from(self._bundle, recipe, why_this_size="as planned")
        network, _ = start.network(splits.classes)
        if self._images is None:
            self._images = training_images(
                splits.train, start.preprocessing, kept_side=recipe.augmentation.kept_side, quiet=self._quiet
            )
        if splits.val and start.preprocessing not in self._validation:
            self._validation[start.preprocessing] = EvaluationBatches(
                splits.val, splits.classes, start.preprocessing, batch_size=recipe.batch_size
            )
        return Session(
            network,
            recipe,
            batches=recipe_batches(start, splits.train, splits.classes, device=PROCESSOR, images=self._images),
            validation=self._validation.get(start.preprocessing),
            preprocessing=start.preprocessing,
            quiet=self._quiet,
        )


def _plan(
    run: Path,
    bundle: Bundle,
    splits: DataSplits,
    options: LayersOptions,
    sessions: _Sessions,
    *,
    seed: int,
    began: float,
) -> Plan:
    recipe = layer_recipe(
        splits,
        image_size=options.image_size or bundle.preprocessing.image_size,
        crop_pct=bundle.preprocessing.crop_pct,
        epochs=options.epochs or DEFAULT_EPOCHS,
        balanced=options.balanced,
        patience=options.patience,
        seed=seed,
    )
    if options.time_limit_s is None:
        return Plan(recipe=recipe, passes=recipe.epochs)
    return plan_within(
        options.time_limit_s,
        began,
        recipe,
        sessions.of,
        splits,
        run=run,
        metadata=bundle.metadata,
        sizes=None if options.image_size is None else [options.image_size],
    )


def _train(
    run: Path, session: Session, plan: Plan, bundle: Bundle, splits: DataSplits, *, ends: float | None, quiet: bool
) -> None:
    """The epochs that are left, each with its checkpoint.

    `ends` is when the training has to be over, by `time.monotonic`; None leaves the plan as it is.
    """
    progression = session.progression
    epochs = plan.epochs_after(progression.epochs_done)
    if not progression.epochs_done:
        fit_start(session, num_photographs=len(splits.train))
    session.run_for(epochs)
    if done := progression.epochs_done:
        say(f"all layers: resuming after epoch {done} of {epochs}", quiet=quiet)
        write_history(run, progression.history)  # a kill right after a checkpoint leaves it a row short
    elif splits.val:
        say(f"all layers: {_in_words(plan)}; at the start val top1 {session.rank_start():.2f} %", quiet=quiet)
    took: deque[float] = deque(maxlen=LAST_EPOCHS)
    while not session.has_ended:
        began = time.monotonic()
        row = session.advance()
        # The checkpoint first: an epoch counts once it is there.
        session.save(run, _metadata(session, bundle, splits), keep=KEPT_CHECKPOINTS)
        write_history(run, progression.history)
        say(epoch_line(row, session.recipe.epochs), quiet=quiet)
        took.append(time.monotonic() - began)
        if ends is not None and not session.has_ended:
            plan = _revised(run, plan, session, epoch_s=sum(took) / len(took), left_s=ends - time.monotonic())
        if (epochs := plan.epochs_after(progression.epochs_done)) != session.recipe.epochs:
            session.run_for(epochs)
            if session.has_ended:  # with the average of the best epochs, which the checkpoint lacks
                session.save(run, _metadata(session, bundle, splits), keep=KEPT_CHECKPOINTS)


def _revised(run: Path, plan: Plan, session: Session, *, epoch_s: float, left_s: float) -> Plan:
    """The plan with as many epochs as fit into the time, written before it is followed."""
    done = session.progression.epochs_done
    epochs = epochs_that_fit(plan, done=done, epoch_s=epoch_s, left_s=left_s)
    if epochs == session.recipe.epochs:
        return plan
    plan = replace(plan, revisions=(*plan.revisions, Revision(after=done, epochs=epochs)))
    plan.write(run)
    return plan


def _in_words(plan: Plan) -> str:
    recipe = plan.recipe
    size = f"{recipe.image_size}x{recipe.image_size} pixels"
    if recipe.steps_per_epoch is None:
        return f"{counted(recipe.epochs, 'epoch')} at {size}"
    return (
        f"{plan.passes:.1f} passes over the photographs at {size}, in {counted(recipe.epochs, 'epoch')} of "
        f"{counted(recipe.steps_per_epoch, 'step')}"
    )


def _metadata(session: Session, bundle: Bundle, splits: DataSplits) -> ModelMetadata:
    """What the best weights so far are."""
    # The temperature belongs to the classifier that the run started from.
    facts = {name: value for name, value in bundle.provenance.items() if name not in ("temperature", "regularization")}
    return replace(
        bundle.metadata,
        in_chans=3,
        num_classes=len(splits.classes),
        labels=splits.classes,
        preprocessing=session.preprocessing,
        provenance=facts | facts_of_training(session),
    )
