"""The best of a search, trained in full and set beside the nearest published model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.designspace.populations import TrialResult
from regnety.designspace.published_neighbours import nearest_models
from regnety.designspace.search.candidates import Candidate
from regnety.designspace.search.design_timer import DesignTimer
from regnety.designspace.search.result import Winner
from regnety.errors import EngineError, RecipeError
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import Recipe, with_settings

if TYPE_CHECKING:
    from regnety.training.run_bundle import RunResult


def final_recipe_of(recipe: Recipe | str, settings: Sequence[str], base: Recipe) -> Recipe:
    """The recipe of the full training, at the size of the low-epoch one; the design is left open.

    Raises:
        RecipeError: it starts from weights, or a setting changes what was measured.
    """
    chosen = with_settings(load_recipe(recipe) if isinstance(recipe, str) else recipe, settings)
    if chosen.pretrained:
        raise RecipeError(f"recipe {chosen.name}: starts from a model's weights; a new design has none")
    if any(setting.partition("=")[0].strip() in ("image_size", "crop_pct", "design", "model") for setting in settings):
        raise RecipeError(
            "the best are trained as they were measured: design, image size and crop are those of the search "
            "(--set image_size=PIXELS)"
        )
    return dataclasses.replace(chosen, model=None, design=None, image_size=base.image_size, crop_pct=base.crop_pct)


def train_in_full(
    data: str | Path,
    place: Path,
    recipe: Recipe,
    candidate: Candidate,
    device: str,
    *,
    skip_unreadable: bool,
    quiet: bool,
) -> "RunResult":
    """Train one of the best from random weights, or go on with it.

    Args:
        data: the labelled photographs.
        place: the run's folder.
        recipe: of the training, without a design.
        candidate: what is trained.
        device: where.
        skip_unreadable: leave out photographs that cannot be read.
        quiet: say nothing on stderr.
    """
    from regnety.training.run import train
    from regnety.training.run_folder import has_begun

    return train(
        data,
        place,
        dataclasses.replace(recipe, design=candidate.design),
        resume=has_begun(place),
        device=device,
        skip_unreadable=skip_unreadable,
        quiet=quiet,
    )


def winner_of(result: TrialResult, candidate: Candidate, run: "RunResult", timer: DesignTimer, *, place: str) -> Winner:
    """One of the best with its run, and the published model nearest to it, measured in the same way."""
    from regnety.catalog.models import model_info

    neighbour = nearest_models(candidate.design, 1)[0]
    try:
        measured = timer.measure(model_info(neighbour.model).design, name=neighbour.model)
    except EngineError:
        measured = None
    return Winner(
        result=result,
        candidate=candidate,
        run=run,
        place=place,
        neighbour=neighbour,
        neighbour_measured=measured,
    )
