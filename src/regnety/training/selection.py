"""Which recipe a run follows, from what its user named."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from regnety.bundle.design_files import find_design
from regnety.catalog.models import EMBEDDED_MODEL
from regnety.errors import RecipeError
from regnety.training.recipe import Recipe, read_recipe, with_settings
from regnety.training.recipes import load_recipe
from regnety.training.run_folder import RECIPE_FILE


def select_recipe(
    output: Path,
    *,
    model: str | None,
    design: str | None,
    recipe: str | None,
    seed: int | None,
    settings: Sequence[str],
    resume: bool,
) -> Recipe:
    """The recipe of a run, with the user's choices laid over it.

    A design without a recipe is trained from scratch, a model without one is fine-tuned, and with neither the model
    that comes with the package is fine-tuned. A resumed run whose user names nothing keeps its own recipe.

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
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    return with_settings(chosen, settings)
