"""Which recipe a run follows, from what its user named."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from regnety.bundle.design_files import find_design
from regnety.catalog.models import EMBEDDED_MODEL
from regnety.errors import RecipeError
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import Recipe, read_recipe, with_settings
from regnety.training.run_folder import RECIPE_FILE, has_begun


def select_recipe(
    output: Path,
    *,
    model: str | None,
    design: str | None,
    recipe: str | None,
    settings: Sequence[str],
    options: Mapping[str, int | float | None],
    resume: bool,
) -> Recipe:
    """The recipe of a run, with the user's choices laid over it.

    A design without a recipe is trained from scratch, a model without one is fine-tuned, and with neither the model
    that comes with the package is fine-tuned. A resumed run whose user names nothing keeps its own recipe.

    Args:
        output: the run's folder.
        model: `--model`.
        design: `--design`.
        recipe: `--recipe`.
        settings: `--set`, each `key=value`.
        options: fields of the recipe that have an option of their own; None where it was not given.
        resume: `--resume`.

    Raises:
        RecipeError: choices that contradict each other, or a value that is not allowed.
        InvalidDesignError: the design is not allowed.
    """
    if model is not None and design is not None:
        raise RecipeError("--model and --design exclude each other: name the one to train")
    stored = output / RECIPE_FILE
    if resume and stored.exists() and recipe is None and model is None and design is None:
        chosen = read_recipe(stored)
    else:
        chosen = load_recipe(recipe or ("scratch" if design is not None else "finetune"))
    if design is not None:
        chosen = dataclasses.replace(chosen, model=None, pretrained=False, design=find_design(design).as_dict())
    elif model is not None:
        chosen = dataclasses.replace(chosen, model=model, design=None)
    elif chosen.model is None and chosen.design is None:
        chosen = dataclasses.replace(chosen, model=EMBEDDED_MODEL)
    given = {key: value for key, value in options.items() if value is not None}
    fixed = {*given, *map(_key, settings)}
    chosen = with_settings(chosen, settings)
    for key, value in given.items():
        option = "--" + key.rpartition(".")[2].replace("_", "-")
        if key in map(_key, settings):
            raise RecipeError(f"{option} and --set {key} are two words for the same; give one of them")
        chosen = with_settings(chosen, [f"{key}={value}"], source=option)
    if resume and has_begun(output) and "epochs" not in fixed:
        epochs = read_recipe(stored).epochs
        if chosen.epochs != epochs:
            raise RecipeError(
                f"{output}: the run has epochs={epochs}, the recipe {chosen.name} has {chosen.epochs}; "
                f"--epochs {epochs} goes on, more make the run longer"
            )
    return chosen


def _key(setting: str) -> str:
    return setting.partition("=")[0].strip()
