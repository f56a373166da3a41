"""What a population is trained with: the recipe with nothing left open, the device, the photographs."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regnety.architecture.description import AnyDesign
from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.designspace.plan import Plan
from regnety.designspace.trials import Conditions, TrialData
from regnety.errors import DataError, RecipeError
from regnety.storage.replacing import remove_leftovers
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import Recipe, with_settings


def base_recipe(
    recipe: Recipe | str, settings: Sequence[str], design: AnyDesign, conditions: Conditions, stored: Plan | None
) -> Recipe:
    """The recipe with nothing left open: image size, crop and arithmetic.

    Raises:
        RecipeError: it cannot be that of a population.
    """
    from regnety.training.run_folder import absolute_model
    from regnety.training.starting_point import resolve_recipe

    chosen = with_settings(load_recipe(recipe) if isinstance(recipe, str) else recipe, settings)
    if chosen.pretrained:
        raise RecipeError(f"recipe {chosen.name}: starts from a model's weights; a population trains from random ones")
    if chosen.patience:
        raise RecipeError("patience: all trials of a population train all of their epochs; --set patience=0")
    chosen = dataclasses.replace(chosen, model=None, design=design)
    chosen = dataclasses.replace(chosen, teacher=absolute_model(chosen.teacher))  # workers are in another folder
    precision = chosen.precision
    if precision == "auto" and stored is not None:
        precision = stored.recipe.precision  # a machine with other hardware may continue it
    precision = _arithmetic(precision, conditions.device)
    resolved = resolve_recipe(dataclasses.replace(chosen, precision=precision)).recipe
    return dataclasses.replace(resolved, design=None)


def _arithmetic(precision: Any, device: str) -> Any:
    """The same for all trials, also on nodes that `auto` would take for others."""
    from regnety.training.devices import find_device

    try:
        return find_device(device).arithmetic(precision)
    except RecipeError:
        if device == "cpu":
            raise
        return "f32" if precision == "auto" else precision  # the workers' cards are not here to be asked


def device_of(device: str, *, on_ray: bool, gpus: float) -> str:
    """Where trials are trained; on a cluster, whose nodes may have other devices, a card where one is asked for."""
    from regnety.training.devices import find_device

    if on_ray:
        if device == "auto":
            return "cuda" if gpus else "cpu"
        return device
    return find_device(device).kind


def read_data(data: str | Path, *, quiet: bool) -> DataSet:
    """The labelled photographs, by a path that holds in any folder.

    Raises:
        DataError: they cannot be trained on.
    """
    if "://" not in str(data):
        data = os.path.abspath(data)  # as with the output, workers have another working folder
    return read_data_set(data, quiet=quiet)


def photographs_of(
    data_set: DataSet, folder: Path, recipe: Recipe, *, begun: bool, skip_unreadable: bool, quiet: bool
) -> tuple[TrialData, str]:
    """The photographs of all trials, and the name of the data set; what was looked at and split is kept in the folder.

    Raises:
        DataError: there are none to measure errors on, or others than when the population was begun.
        UnreadablePicturesError: some cannot be read, and are not to be skipped.
    """
    from regnety.training.pictures import look_at_pictures
    from regnety.training.run_folder import SPLIT_FILE, validation_split

    splits = data_set.training()
    remove_leftovers(folder)
    if not begun:
        (folder / SPLIT_FILE).unlink(missing_ok=True)
    pictures = look_at_pictures(splits, folder, begun=begun, skip_unreadable=skip_unreadable, quiet=quiet)
    train, val = validation_split(folder, pictures.splits, recipe)
    if not val:
        raise DataError(
            f"{splits.root}: has no val/ to measure errors on, and the recipe {recipe.name} holds nothing out; "
            "--set val_fraction=0.1"
        )
    pictures.write(folder)
    name = Path(str(splits.root).rstrip("/")).name or str(splits.root)
    return TrialData.of(pictures.splits, tuple(train), tuple(val), seen=pictures.seen), name
