"""The folder of a run: who may train in it, what is in it already, and the tables that are written there."""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regnety.catalog.models import is_name
from regnety.datasets.recorded_split import recorded_hold_out
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import RecipeError
from regnety.storage.replacing import remove_leftovers, replacing
from regnety.text import reason_of
from regnety.training.checkpoints import FOLDER as CHECKPOINT_FOLDER
from regnety.training.checkpoints import checkpoints
from regnety.training.recipes.recipe import Recipe, read_recipe, recipe_text

RECIPE_FILE = "recipe.yaml"
SPLIT_FILE = "split.json"
PICTURES_FILE = "pictures.json"
UNLABELLED_FILE = "unlabelled.json"
"""The labels that a teacher gave to photographs without."""
BUNDLE_FOLDER = "bundle"
BEFORE_THE_FIRST_EPOCH = (RECIPE_FILE, SPLIT_FILE, PICTURES_FILE, UNLABELLED_FILE)
"""Files that a run has written before it has anything to lose."""
LOCK_NAME = "run"


def check_run(run: Path, recipe: Recipe, *, resume: bool) -> Recipe | None:
    """Check that a run may begin in a folder, or be resumed there; nothing is changed.

    Returns:
        The recipe of the run that is there, which may have fewer epochs; None if a new one begins.

    Raises:
        RecipeError: the folder holds something else, or a run without `resume`, or one with another recipe.
    """
    if run.exists() and not run.is_dir():
        raise RecipeError(f"{run}: is a file; the output is a folder")
    # A folder that another program made, as a mounted volume, may be there already as long as it is empty.
    if not has_begun(run):
        if checkpoints(run):  # a new run would go on from them
            raise RecipeError(f"{run}: has checkpoints of a run whose {RECIPE_FILE} is missing; name another output")
        own = {
            CHECKPOINT_FOLDER,
            f".{LOCK_NAME}.lock",
            *(BEFORE_THE_FIRST_EPOCH if (run / RECIPE_FILE).exists() else ()),
        }
        names = {entry.name for entry in run.iterdir()} if run.exists() else set()
        # `.NAME.part` and `.NAME.old` are what a killed process leaves of a file that it was writing.
        if any(not name.startswith(".") or not name.endswith((".part", ".old")) for name in names - own):
            raise RecipeError(f"{run}: is not empty and holds no run; name another output")
        return None
    if not resume:
        raise RecipeError(f"{run}: holds a run; continue it with --resume (resume=True), or name another output")
    # The recipe on disk is the one that the checkpoints were trained with.
    stored = read_recipe(run / RECIPE_FILE)
    # All fields but the number of epochs, which may grow.
    before, after = _in_any_folder(stored), {**_in_any_folder(recipe), "epochs": stored.epochs}
    if before != after:
        field, was, wanted = _first_difference("", before, after)
        raise RecipeError(f"{run}: the run has {field}={was}, resuming cannot change it to {wanted}")
    if recipe.epochs < stored.epochs:
        raise RecipeError(
            f"{run}: the run has epochs={stored.epochs}, resuming can make it longer, not shorter ({recipe.epochs})"
        )
    return stored


def check_checkpoint(run: Path) -> None:
    """Check that a run which has not finished can go on: from its beginning it would overwrite what it has done.

    Raises:
        RecipeError: it has no checkpoint.
    """
    # The bundle has the best weights, but neither the optimiser's state nor the last weights.
    if not checkpoints(run):
        raise RecipeError(
            f"{run}: has no checkpoint to continue from; start another run from its weights: --model {run} (model=)"
        )


def absolute_model(model: str | None) -> str | None:
    """A MODEL that is a place on this disk, as a process in any other folder finds it; a name stays one."""
    return os.path.abspath(model) if model is not None and not is_name(model) and Path(model).exists() else model


def has_begun(run: Path) -> bool:
    """Whether there is a run that has finished an epoch; before that there is nothing to lose."""
    return (run / RECIPE_FILE).exists() and (bool(checkpoints(run)) or (run / BUNDLE_FOLDER).exists())


def open_run(run: Path, recipe: Recipe) -> None:
    """Prepare a folder that `check_run` has accepted, within `alone_in`, and write the recipe there.

    Raises:
        RecipeError: the folder cannot be written to.
    """
    try:
        for folder in (run, run / CHECKPOINT_FOLDER):
            remove_leftovers(folder)
    except OSError as error:
        raise RecipeError(f"{run}: cannot be written to: {reason_of(error)}") from error
    if not has_begun(run):  # killed in its first epoch: the split and the pictures are chosen again
        for name in BEFORE_THE_FIRST_EPOCH:
            (run / name).unlink(missing_ok=True)
    text = recipe_text(recipe)
    if not (run / RECIPE_FILE).exists() or (run / RECIPE_FILE).read_text("utf-8") != text:
        with replacing(run / RECIPE_FILE) as beside:
            beside.write_text(text, "utf-8")


def validation_split(run: Path, splits: DataSplits, recipe: Recipe) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """(train, validation): the data's own `val/`, or a stratified share of train that is recorded in the run.

    Raises:
        DataError: the data lacks pictures that the run holds out.
    """
    if splits.val or recipe.val_fraction == 0:
        return splits.train, splits.val
    return recorded_hold_out(run / SPLIT_FILE, splits, recipe.val_fraction, seed=recipe.seed)


def write_history(run: Path, history: list[dict[str, Any]]) -> None:
    """metrics.jsonl and summary.csv, one row per epoch. They are written whole, so that a resume repeats no row."""
    with replacing(run / "metrics.jsonl") as beside:
        beside.write_text("".join(json.dumps(row) + "\n" for row in history), "utf-8")
    table = io.StringIO()
    # csv's own line end is that of Windows.
    writer = csv.DictWriter(table, fieldnames=list(history[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    with replacing(run / "summary.csv") as beside:
        beside.write_text(table.getvalue(), "utf-8")


def _in_any_folder(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values; on a cluster it has absolute places, and is the same run."""
    return {**recipe.as_dict(), "model": absolute_model(recipe.model), "teacher": absolute_model(recipe.teacher)}


def _first_difference(name: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    """The dotted name of the first field in which two recipes differ, and both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *after]:
            if before.get(key) != after.get(key):
                return _first_difference(f"{name}.{key}".lstrip("."), before.get(key), after.get(key))
    return name, before, after
