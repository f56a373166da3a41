"""A training run: from a data folder and a recipe to a folder with metrics, checkpoints and a bundle."""

import dataclasses
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from regnety import version
from regnety.architecture.notation import design_from_dict
from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.folders import DataSplits, read_training_folder
from regnety.errors import RecipeError
from regnety.graph.metadata import ModelMetadata
from regnety.inference.evaluation import evaluate
from regnety.network.creation import create_model
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.training.batches import training_batches
from regnety.training.optimization import autocast_dtype
from regnety.training.recipe import Recipe
from regnety.training.run_folder import BUNDLE_FOLDER, open_run, validation_split, write_history
from regnety.training.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run ended with."""

    bundle: Path
    epochs: int
    minutes: float
    val_top1: float | None
    """In percent, of the epoch that was kept; None without validation."""
    test_top1: float | None
    """In percent, of the bundle; None without a test split."""


def train(
    data: str | Path,
    output: str | Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    keep: int = 2,
    quiet: bool = False,
    command: str | None = None,
) -> RunResult:
    """Train on an image folder; the run folder holds recipe.yaml, metrics.jsonl, summary.csv, checkpoints/, bundle/.

    A run that was killed goes on from its last checkpoint with `resume`, and ends with the same weights.

    Args:
        data: a folder with `train/` (and `val/`, `test/`), or class folders alone.
        output: the run folder.
        recipe: what to do.
        resume: go on where the run in `output` stopped; with nothing there it starts anew.
        keep: number of checkpoints to keep.
        quiet: say nothing on stderr.
        command: the command line, for the model's card.

    Raises:
        DataError: the data folder cannot be trained on.
        ImageError: a picture cannot be read; the message names it.
        RecipeError: the recipe contradicts itself, the processor or the run in `output`.
    """
    run = Path(output)
    autocast_dtype(recipe.precision)  # refuses what this processor does not have, before anything is written
    splits = read_training_folder(data)
    recipe, preprocessing, model = _resolve(recipe, splits)
    open_run(run, recipe, resume=resume)
    train_samples, val_samples = validation_split(run, splits, recipe)
    training_files = TrainingFiles.of([sample.path for sample in train_samples], quiet=quiet) | model.training_files
    batches = training_batches(
        train_samples,
        splits.classes,
        preprocessing,
        recipe.augmentation,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        quiet=quiet,
    )
    session = Session(
        model,
        recipe,
        batches=batches,
        validation=val_samples,
        classes=splits.classes,
        preprocessing=preprocessing,
        quiet=quiet,
    )
    session.restore(run)
    if session.progression.epochs_done:
        _say(f"resuming after epoch {session.progression.epochs_done} of {recipe.epochs}", quiet)
    while session.progression.epochs_done < recipe.epochs:
        row = session.advance()
        session.save(run, keep=keep)
        write_history(run, session.progression.history)
        _say(_epoch_line(row, recipe.epochs), quiet)
    write_history(run, session.progression.history)  # a kill right after the last checkpoint left it a row short
    return _finish(run, session, splits, preprocessing, training_files, command=command, quiet=quiet)


def _resolve(recipe: Recipe, splits: DataSplits) -> tuple[Recipe, Preprocessing, RegNet]:
    """Fill in what the recipe leaves to the model, and make the network that training starts from."""
    if recipe.pretrained and recipe.model is None:
        raise RecipeError(f"recipe {recipe.name}: pretrained wants a model to take the weights from; give --model")
    generator = torch.Generator().manual_seed(recipe.seed)
    num_classes = len(splits.classes)
    preprocessing = Preprocessing(exif_orientation=True)
    if recipe.model is not None:
        model = create_model(
            recipe.model,
            pretrained=recipe.pretrained or None,
            num_classes=num_classes,
            in_chans=3,  # as photographs have
            initialization=recipe.initialization,
            generator=generator,
        )
        if recipe.pretrained:
            preprocessing = dataclasses.replace(Bundle.load(recipe.model).preprocessing, exif_orientation=True)
    elif recipe.design is not None:
        architecture = design_from_dict(recipe.design).architecture(num_classes)
        model = create_model(architecture, initialization=recipe.initialization, generator=generator)
    else:
        raise RecipeError(f"recipe {recipe.name}: names neither a model nor a design; give --model or --design")
    preprocessing = dataclasses.replace(
        preprocessing,
        image_size=recipe.image_size or preprocessing.image_size,
        crop_pct=recipe.crop_pct or preprocessing.crop_pct,
    )
    recipe = dataclasses.replace(recipe, image_size=preprocessing.image_size, crop_pct=preprocessing.crop_pct)
    return recipe, preprocessing, model


def _finish(
    run: Path,
    session: Session,
    splits: DataSplits,
    preprocessing: Preprocessing,
    training_files: TrainingFiles,
    *,
    command: str | None,
    quiet: bool,
) -> RunResult:
    """Write the bundle, and score it once on the test split where there is one."""
    folder = run / BUNDLE_FOLDER
    recipe, progression = session.recipe, session.progression
    provenance: dict[str, Any] = {
        "data": f"{splits.root.resolve().name}: {len(splits.train)} training pictures",
        "command": command,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "epochs": progression.epochs_done,
        "minutes": round(progression.seconds / 60, 1),
        "arithmetic": str(autocast_dtype(recipe.precision)).removeprefix("torch."),
        "trained_with": f"regnety {version.__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }
    val_top1 = progression.best_top1 if progression.best_top1 >= 0 else None
    if val_top1 is not None:
        provenance |= {"val_top1": round(val_top1, 3), "best_epoch": progression.best_epoch}

    def save() -> Bundle:
        metadata = ModelMetadata(
            design=session.model.architecture.design,
            num_classes=len(splits.classes),
            in_chans=session.model.architecture.in_chans,
            preprocessing=preprocessing,
            labels=splits.classes,
            provenance={name: value for name, value in provenance.items() if value is not None},
        )
        weights = {key: value.contiguous().numpy() for key, value in session.best.items()}
        made = Bundle(metadata, weights, name=run.resolve().name, training_files=training_files)
        made.save(folder, dtype=recipe.bundle_dtype)
        return Bundle.load(folder)

    bundle = save()
    test_top1 = None
    if splits.test:
        result = evaluate(bundle, splits.test, quiet=quiet)
        for error in result.errors:
            _say(f"regnety: {error}", quiet)
        test_top1 = result.top1
        provenance |= {"test_top1": round(result.top1, 3), "test_pictures": result.count}
        save()
    return RunResult(
        bundle=folder,
        epochs=progression.epochs_done,
        minutes=progression.seconds / 60,
        val_top1=val_top1,
        test_top1=test_top1,
    )


def _epoch_line(row: dict[str, Any], epochs: int) -> str:
    line = f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, top1 {row['train_top1']:.2f} %"
    if "val_top1" in row:
        line += f", val top1 {row['val_top1']:.2f} %"
    return f"{line}, {row['seconds']:.0f} s"


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
