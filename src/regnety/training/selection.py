"""Which recipe a run follows, by the user's choices."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from regnety.bundle.design_files import find_design
from regnety.catalog.models import DEFAULT_MODEL
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
    options: Mapping[str, int | float | str | None],
    resume: bool,
    source: str = "--set",
) -> Recipe:
    """The recipe of a run, with the user's values in place of its own.

    Without a recipe a design is trained from scratch and a model is fine-tuned; with neither, the model that comes with
    the package is fine-tuned. A resumed run keeps its own recipe unless the user names one.

    Args:
        output: the run's folder.
        model: `--model`.
        design: `--design`.
        recipe: `--recipe`.
        settings: `--set`, each `key=value`.
        options: values of fields that have their own option; None if it was not given.
        resume: `--resume`.
        source: what the settings are called in errors.

    Raises:
        RecipeError: choices that contradict each other, or a value that is not allowed.
        InvalidDesignError: the design is not allowed.
    """
    if model is not None and design is not None:
        raise RecipeError("model and design (--model, --design) exclude each other; name one of them")
    fixed = {*map(_key, settings), *(key for key, value in options.items() if value is not None)}
    if model is not None and "design" in fixed:
        raise RecipeError(f"model and design (--model, {source} design) exclude each other; name one of them")
    stored = output / RECIPE_FILE
    if resume and stored.exists() and recipe is None and model is None and design is None:
        chosen = read_recipe(stored)
    else:
        from_scratch = design is not None or "design" in fixed
        chosen = load_recipe(recipe or ("scratch" if from_scratch else "finetune"), model or _set_model(settings))
    if design is not None:
        chosen = dataclasses.replace(chosen, model=None, pretrained=False, design=find_design(design))
    elif model is not None:
        chosen = dataclasses.replace(chosen, model=model, design=None)
    elif "design" in fixed:
        chosen = dataclasses.replace(chosen, model=None, pretrained=False)
    given = {key: value for key, value in options.items() if value is not None}
    chosen = with_settings(chosen, settings, source=source)
    for key, value in given.items():  # one by one, so that an error names the option
        option = "--" + key.rpartition(".")[2].replace("_", "-")
        if key in map(_key, settings):
            raise RecipeError(f"{option} and --set {key} are the same setting; give one of them")
        # As JSON, which is YAML: a name that looks like a number stays a text.
        chosen = with_settings(chosen, [f"{key}={json.dumps(value)}"], source=option)
    if chosen.pretrained and chosen.model is None and chosen.design is None:
        chosen = dataclasses.replace(chosen, model=DEFAULT_MODEL)
    if resume and has_begun(output) and "epochs" not in fixed:
        epochs = read_recipe(stored).epochs
        if chosen.epochs != epochs:
            raise RecipeError(
                f"{output}: the run has epochs={epochs}, the recipe {chosen.name} has {chosen.epochs}; "
                f"--epochs {epochs} (epochs=) continues it, a larger number extends it"
            )
    return chosen


def _set_model(settings: Sequence[str]) -> str | None:
    """The model that a setting names: a recipe may have values of its own for it."""
    return next((setting.partition("=")[2].strip() for setting in settings if _key(setting) == "model"), None)


def _key(setting: str) -> str:
    return setting.partition("=")[0].strip()
