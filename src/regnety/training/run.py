"""A training run: from a data folder and a recipe to a folder with metrics, checkpoints and a bundle."""

import csv
import dataclasses
import io
import json
import logging
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regnety import version
from regnety.architecture.notation import design_from_dict
from regnety.bundle.bundle import Bundle
from regnety.datasets.folders import DataSplits, Sample, hold_out, read_training_folder
from regnety.errors import DataError, RecipeError
from regnety.graph.metadata import ModelMetadata
from regnety.network.creation import create_model
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.progress import Progress
from regnety.storage import replacing
from regnety.training.batches import evaluation_batches, training_batches
from regnety.training.checkpoints import Progression, checkpoints, load_checkpoint, save_checkpoint
from regnety.training.loop import top1_of, train_epoch
from regnety.training.optimization import (
    InputNormalization,
    WeightAverage,
    autocast_dtype,
    make_optimizer,
    make_schedule,
)
from regnety.training.recipe import Recipe, read_recipe, recipe_text

RECIPE_FILE = "recipe.yaml"
SPLIT_FILE = "split.json"
BUNDLE_FOLDER = "bundle"

logger = logging.getLogger("regnety")


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
    dtype = autocast_dtype(recipe.precision)
    splits = read_training_folder(data)
    recipe, preprocessing, model = _resolve(recipe, splits)
    _open_run(run, recipe, resume=resume)
    train_samples, val_samples = _validation_split(run, splits, recipe)

    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = training_batches(
        train_samples,
        splits.classes,
        preprocessing,
        recipe.augmentation,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        quiet=quiet,
    )
    optimizer = make_optimizer(model, recipe.optimizer)
    average = WeightAverage(model, recipe.ema_decay) if recipe.ema_decay else None
    progression = Progression(epochs_done=0, history=[], best_epoch=0, best_top1=-1.0, seconds=0.0)
    best = model.state_dict()
    if found := checkpoints(run):
        progression, best = load_checkpoint(found[-1], model=model, optimizer=optimizer, average=average)
        _say(f"resuming after epoch {progression.epochs_done} of {recipe.epochs}", quiet)

    normalize = InputNormalization(preprocessing.mean, preprocessing.std)
    schedule = make_schedule(recipe, batches.steps_per_epoch)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    evaluated = model if average is None else create_model(model.architecture)

    for epoch in range(progression.epochs_done, recipe.epochs):
        started = time.monotonic()
        size = recipe.small_image_size if epoch < recipe.small_epochs else None
        records = train_epoch(
            model,
            batches.epoch(epoch),
            normalize=lambda pixels, size=size: normalize(pixels, size),  # type: ignore[misc]
            optimizer=optimizer,
            schedule=schedule,
            criterion=criterion,
            average=average,
            dtype=dtype,
            first_step=epoch * batches.steps_per_epoch,
        )
        row: dict[str, Any] = {"epoch": epoch + 1}
        loss, correct, count = 0.0, 0, 0
        with Progress(f"epoch {epoch + 1}/{recipe.epochs}", total=batches.steps_per_epoch, quiet=quiet) as progress:
            for record in records:
                loss += float(record.loss) * record.count
                correct += int(record.correct)
                count += record.count
                row["lr"] = record.lr
                progress.advance(loss=loss / count, top1=100 * correct / count)
        if not loss < float("inf"):
            raise RecipeError(
                f"the loss of epoch {epoch + 1} is not finite; lower optimizer.lr ({recipe.optimizer.lr:g})"
            )
        row |= {"train_loss": loss / count, "train_top1": 100 * correct / count}
        kept = average.state if average is not None else model.state_dict()
        if val_samples:
            if average is not None:
                evaluated.load_state_dict(kept)
            pictures = evaluation_batches(val_samples, splits.classes, preprocessing, batch_size=recipe.batch_size)
            row["val_top1"], row["val_loss"] = top1_of(evaluated, pictures, normalize=normalize, dtype=dtype)
        if row.get("val_top1", 0.0) >= progression.best_top1 or not val_samples:
            best = {key: value.clone() for key, value in kept.items()}
            progression.best_epoch, progression.best_top1 = epoch + 1, row.get("val_top1", -1.0)
        row["seconds"] = round(time.monotonic() - started, 2)
        progression.epochs_done = epoch + 1
        progression.seconds += row["seconds"]
        progression.history.append(row)
        save_checkpoint(run, progression, model=model, optimizer=optimizer, average=average, best=best, keep=keep)
        _write_history(run, progression.history)
        _say(_epoch_line(row, recipe.epochs), quiet)
    return _finish(run, recipe, splits, preprocessing, progression, model, best, command=command, quiet=quiet)


def _resolve(recipe: Recipe, splits: DataSplits) -> tuple[Recipe, Preprocessing, RegNet]:
    """Fill in what the recipe leaves to the model, and make the network that training starts from."""
    generator = torch.Generator().manual_seed(recipe.seed)
    num_classes = len(splits.classes)
    preprocessing = Preprocessing(exif_orientation=True)
    if recipe.pretrained and recipe.model is None:
        raise RecipeError(f"recipe {recipe.name}: pretrained wants a model to take the weights from; give --model")
    if recipe.model is not None:
        model = create_model(
            recipe.model,
            pretrained=recipe.pretrained or None,
            num_classes=num_classes,
            initialization=recipe.initialization,
            generator=generator,
        )
        if recipe.pretrained:
            preprocessing = dataclasses.replace(Bundle.load(recipe.model).preprocessing, exif_orientation=True)
    elif recipe.design is not None:
        model = create_model(
            design_from_dict(recipe.design).architecture(num_classes),
            initialization=recipe.initialization,
            generator=generator,
        )
    else:
        raise RecipeError(f"recipe {recipe.name}: names neither a model nor a design; give --model or --design")
    preprocessing = dataclasses.replace(
        preprocessing,
        image_size=recipe.image_size or preprocessing.image_size,
        crop_pct=recipe.crop_pct or preprocessing.crop_pct,
    )
    recipe = dataclasses.replace(recipe, image_size=preprocessing.image_size, crop_pct=preprocessing.crop_pct)
    return recipe, preprocessing, model


def _open_run(run: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make the run folder, or check that the run in it is the one to go on with."""
    stored_path = run / RECIPE_FILE
    if run.exists() and not run.is_dir():
        raise RecipeError(f"{run}: is a file; --output names a folder")
    if not stored_path.exists():
        if run.is_dir() and any(run.iterdir()):
            raise RecipeError(f"{run}: is not empty and holds no run; name another --output")
        run.mkdir(parents=True, exist_ok=True)
        with replacing(stored_path) as beside:
            beside.write_text(recipe_text(recipe), "utf-8")
        return
    if not resume:
        raise RecipeError(f"{run}: holds a run already; add --resume to go on with it, or name another --output")
    stored = read_recipe(stored_path).as_dict()
    for name, value in recipe.as_dict().items():
        if value != stored[name]:
            field, before, after = _first_difference(name, stored[name], value)
            raise RecipeError(f"{run}: the run has {field}={before}, --resume cannot change it to {after}")


def _first_difference(name: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if before[key] != after.get(key):
                return _first_difference(f"{name}.{key}", before[key], after.get(key))
    return name, before, after


def _validation_split(run: Path, splits: DataSplits, recipe: Recipe) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """(train, validation): the data's own `val/`, or a stratified share of train that is written down in the run."""
    if splits.val or recipe.val_fraction == 0:
        return splits.train, splits.val
    path = run / SPLIT_FILE
    if not path.exists():
        _, held = hold_out(splits.train, recipe.val_fraction, seed=recipe.seed)
        names = [sample.path.relative_to(splits.root).as_posix() for sample in held]
        with replacing(path) as beside:
            beside.write_text(json.dumps({"val": names}, indent=1, ensure_ascii=False), "utf-8")
    held_names = set(json.loads(path.read_text("utf-8"))["val"])
    held_out = [sample.path.relative_to(splits.root).as_posix() in held_names for sample in splits.train]
    if sum(held_out) != len(held_names):
        raise DataError(f"{splits.root}: lacks pictures that {path} holds out; the data is not what the run began with")
    kept = [sample for sample, out in zip(splits.train, held_out, strict=True) if not out]
    return kept, [sample for sample, out in zip(splits.train, held_out, strict=True) if out]


def _write_history(run: Path, history: list[dict[str, Any]]) -> None:
    """metrics.jsonl and summary.csv, whole each time: a resumed run has no row twice."""
    with replacing(run / "metrics.jsonl") as beside:
        beside.write_text("".join(json.dumps(row) + "\n" for row in history), "utf-8")
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    with replacing(run / "summary.csv") as beside:
        beside.write_text(table.getvalue(), "utf-8")


def _finish(
    run: Path,
    recipe: Recipe,
    splits: DataSplits,
    preprocessing: Preprocessing,
    progression: Progression,
    model: RegNet,
    best: dict[str, Tensor],
    *,
    command: str | None,
    quiet: bool,
) -> RunResult:
    """Write the bundle, and score it once on the test split where there is one."""
    folder = run / BUNDLE_FOLDER
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
    if progression.best_top1 >= 0:
        provenance |= {"val_top1": round(progression.best_top1, 3), "best_epoch": progression.best_epoch}

    def save() -> None:
        metadata = ModelMetadata(
            design=model.architecture.design,
            num_classes=len(splits.classes),
            in_chans=model.architecture.in_chans,
            preprocessing=preprocessing,
            labels=splits.classes,
            provenance={name: value for name, value in provenance.items() if value is not None},
        )
        weights = {key: value.contiguous().numpy() for key, value in best.items()}
        name = recipe.model or recipe.name
        Bundle(metadata, weights, name=name).save(folder, dtype=recipe.bundle_dtype)

    save()
    test_top1 = None
    if splits.test:
        from regnety.inference.evaluation import evaluate

        result = evaluate(Bundle.load(folder), splits.test, quiet=quiet)
        test_top1 = result.top1
        provenance |= {"test_top1": round(result.top1, 3), "test_pictures": result.count}
        save()
    return RunResult(
        bundle=folder,
        epochs=progression.epochs_done,
        minutes=progression.seconds / 60,
        val_top1=progression.best_top1 if progression.best_top1 >= 0 else None,
        test_top1=test_top1,
    )


def _epoch_line(row: dict[str, Any], epochs: int) -> str:
    line = f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, top1 {row['train_top1']:.2f} %"
    if "val_top1" in row:
        line += f", val top1 {row['val_top1']:.2f} %"
    return f"{line}, {row['seconds']:.0f} s"


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        import sys

        print(line, file=sys.stderr, flush=True)
