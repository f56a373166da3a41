"""A trial: a plain function of recipe, design, seed and photographs, whose answer is a row for each epoch.

Nothing here knows where a trial runs. Its number of threads is fixed, so that it has the same numbers in any process.
"""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regnety.architecture.description import AnyDesign
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import LossError
from regnety.extras import import_extra
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.text import one_line
from regnety.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    from regnety.training.batch_plan import Pixels
    from regnety.training.batches import EvaluationBatches, TrainingBatches
    from regnety.training.kept_pictures import TrainingImages
    from regnety.training.session import Session
    from regnety.training.starting_point import StartingPoint

CHECKPOINT_S = 60.0
"""Seconds of training after which a checkpoint is written between two rungs."""
KEPT_BYTES = 1 << 29
"""Of whole photographs that a process keeps for `resized` crops; larger ones are decoded in each epoch, as in a run."""
WHOLE_SIDE = 8192
"""Shorter side that photographs are reduced to: the most that a recipe may ask for, and larger than any kept whole."""
KEPT_SETS = 2
"""Sets of decoded photographs that a process keeps: a population whose trials have several image sizes has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One training of a population."""

    number: int
    """From 0 in the order of the population."""
    design_number: int
    """Position of its design among those that the population was given."""
    design: AnyDesign
    recipe: Recipe
    """Its own: with its design, its seed and its values of what is varied."""
    varied: dict[str, Any]
    """The fields that are varied, with its values."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialData:
    """The photographs of all trials of a population; equal where they are the same files, and have not changed.

    Args:
        classes: their names, sorted.
        train: what is trained on.
        val: what errors are measured on.
        digest: of the names, in order: what a resumed population must have.
        version: of what was found under these names, in a place, at a time.
    """

    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    digest: str
    version: str

    @classmethod
    def of(cls, splits: DataSplits, train: tuple[Sample, ...], val: tuple[Sample, ...], *, seen: str) -> "TrialData":
        """The photographs of a data set, split.

        Args:
            splits: the data set.
            train: what is trained on.
            val: what errors are measured on.
            seen: of the names, sizes and times of its files (`RunPictures.seen`).
        """
        digest = hashlib.sha256()
        for part in (train, val):
            for sample in part:
                digest.update(f"{splits.name_of(sample)}\0{sample.label}\0".encode("utf-8", "surrogateescape"))
            digest.update(b"\0")
        return cls(splits.classes, train, val, digest.hexdigest(), f"{splits.root}\0{seen}")

    # by its texts, so that a worker that is sent the photographs again keeps what it has decoded
    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrialData) and (self.digest, self.version) == (other.digest, other.version)

    def __hash__(self) -> int:
        return hash((self.digest, self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How every trial of a population is computed."""

    threads: int = 1
    """That torch computes with; sums over another number differ in their last digits."""
    device: str = "cpu"
    """`cpu`, `cuda` or `mps`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of training a trial up to some epoch: its rows from the first epoch on, or why it failed."""

    trial: int
    rows: list[dict[str, Any]]
    seconds: float
    message: str | None = None
    again: bool = False
    """Whether the failure may be one of the machine, so that it is tried again."""


def train_trial(
    recipe: Recipe,
    data: TrialData,
    *,
    epochs: int | None = None,
    folder: Path | None = None,
    conditions: Conditions | None = None,
    after_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """Train a recipe's design, and measure it after each epoch.

    Args:
        recipe: with a design and a seed.
        data: the photographs; those decoded for an earlier trial of this process are used again.
        epochs: those after which training pauses; None is all of the recipe's, whose learning rates are followed in
            both cases.
        folder: where a trial that has paused is continued from, and where a checkpoint is left for that; None keeps
            none. Its result is that of a trial that never paused.
        conditions: how it is computed.
        after_epoch: called with each new row.

    Returns:
        A row for each epoch from the first on, as in metrics.jsonl of a run: `val_top1` in percent, `val_loss`,
        `train_top1`, `train_loss`, `lr`, `seconds`.

    Raises:
        MissingExtraError: torch is not installed.
        RecipeError: the recipe cannot be followed, or the loss is not finite.
        ImageError: a photograph cannot be read.
    """
    import_extra("torch", feature="training", extra="torch")
    from regnety.training.checkpoints import checkpoints
    from regnety.training.torch_threads import with_torch_threads

    conditions = conditions or Conditions()
    with with_torch_threads(conditions.threads):
        session, start = _session(recipe, data, conditions, begun=folder is not None and bool(checkpoints(folder)))
        if folder is not None:
            session.restore(folder, begun_for=recipe.epochs)
        session.run_for(recipe.epochs)
        until = recipe.epochs if epochs is None else min(epochs, recipe.epochs)
        saved = time.monotonic()
        while session.progression.epochs_done < until:
            row = session.advance()
            after_epoch(row)
            done = session.progression.epochs_done
            # all epochs done: nothing will continue from here
            if (
                folder is not None
                and done < recipe.epochs
                and (done == until or time.monotonic() - saved > CHECKPOINT_S)
            ):
                session.save(folder, _metadata(session, start, data), keep=1)
                saved = time.monotonic()
        return [_finite(row) for row in session.progression.history[:until]]


def outcome_of(
    trial: Trial,
    data: TrialData,
    *,
    until: int,
    folder: Path | None,
    conditions: Conditions,
    after_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Outcome:
    """Train a trial up to an epoch; a failure is an outcome too.

    Only what would end a process anywhere else is raised: Ctrl-C, SIGTERM, and a missing extra.
    """
    started = time.monotonic()
    try:
        rows = train_trial(
            trial.recipe, data, epochs=until, folder=folder, conditions=conditions, after_epoch=after_epoch
        )
    except Exception as error:
        spent = time.monotonic() - started
        # a loss that grows beyond all numbers does so each time; anything else may be this node's or this minute's
        again = not isinstance(error, LossError)
        message = one_line(error)
        return Outcome(trial=trial.number, rows=[], seconds=spent, message=message, again=again)
    return Outcome(trial=trial.number, rows=rows, seconds=time.monotonic() - started)


def _session(
    recipe: Recipe, data: TrialData, conditions: Conditions, *, begun: bool
) -> tuple["Session", "StartingPoint"]:
    from regnety.training.devices import find_device
    from regnety.training.recipe_session import recipe_session
    from regnety.training.starting_point import resolve_recipe
    from regnety.training.teacher import checked_teacher

    start = resolve_recipe(recipe)
    network, _ = start.network(data.classes)
    session = recipe_session(
        start,
        network,
        _training_batches(start, data, conditions),
        data.classes,
        validation=_validation_batches(data, start.preprocessing),
        teacher=checked_teacher(start.recipe, data.classes),
        device=find_device(conditions.device),
        begun=begun,
        quiet=True,
    )
    return session, start


def _training_batches(start: "StartingPoint", data: TrialData, conditions: Conditions) -> "TrainingBatches":
    from regnety.training.devices import find_device
    from regnety.training.recipe_session import recipe_batches

    augmentation = start.recipe.augmentation
    is_shifted = augmentation.crop == "shift"
    return recipe_batches(
        start,
        data.train,
        data.classes,
        images=None if is_shifted else _cropped_images(data, start.preprocessing, augmentation.kept_side),
        whole=_whole_pixels(data, start.preprocessing) if is_shifted else None,
        device=find_device(conditions.device),
        quiet=True,
    )


@lru_cache(maxsize=KEPT_SETS)
def _whole_pixels(data: TrialData, preprocessing: Preprocessing) -> "Pixels":
    from regnety.training.kept_pictures import load_all

    return load_all(data.train, preprocessing, quiet=True)


@lru_cache(maxsize=KEPT_SETS)
def _cropped_images(data: TrialData, preprocessing: Preprocessing, kept_side: int | None) -> "TrainingImages":
    from regnety.training.kept_pictures import training_images

    if kept_side is None and _whole_bytes(data, preprocessing) <= KEPT_BYTES:
        kept_side = WHOLE_SIDE  # decoded once, and whole: a trial that decodes large JPEGs takes drafts of them
    return training_images(data.train, preprocessing, kept_side=kept_side, quiet=True)


def _whole_bytes(data: TrialData, preprocessing: Preprocessing) -> int:
    """Bytes of all training photographs, if they are as large as the first."""
    from regnety.images.decoding import load_image

    image = load_image(data.train[0].image, exif_orientation=preprocessing.exif_orientation)
    return 3 * image.width * image.height * len(data.train)


@lru_cache(maxsize=KEPT_SETS)
def _validation_batches(data: TrialData, preprocessing: Preprocessing) -> "EvaluationBatches":
    from regnety.training.batches import EvaluationBatches

    # one size for all trials, whatever they train with: they share the decoded photographs
    return EvaluationBatches(data.val, data.classes, preprocessing, batch_size=128)


def _metadata(session: "Session", start: "StartingPoint", data: TrialData) -> ModelMetadata:
    return ModelMetadata(
        design=session.model.architecture.design,
        num_classes=len(data.classes),
        in_chans=3,
        preprocessing=start.preprocessing,
        labels=data.classes,
    )


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: a validation loss beyond all numbers is null."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
