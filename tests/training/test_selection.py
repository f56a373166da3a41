"""What --design of `train` means, before anything is trained."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.errors import RecipeError
from regnety.training.recipes.recipe import Recipe
from regnety.training.selection import select_recipe
from regnety.training.starting_point import resolve_recipe

STAGES = AnyNetDesign(
    stages=(StageDesign(width=16, depth=1, group_width=8, stride=1), StageDesign(width=32, depth=2, group_width=8)),
    stem_stride=1,
)


@pytest.mark.parametrize("kind", ["text", "JSON", "file"])
def test_a_design_is_named_in_any_of_its_forms(kind: str, tmp_path: Path) -> None:
    wanted: Design | AnyNetDesign = STAGES
    table = json.dumps(STAGES.as_dict())
    (tmp_path / "mine.json").write_text(table)
    design = {"JSON": table, "file": str(tmp_path / "mine.json"), "text": "d=13,w_0=24,w_a=36.44,w_m=2.49,g=8"}[kind]
    if kind == "text":
        wanted = Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    recipe = select_recipe(
        tmp_path / "run", model=None, design=design, recipe=None, options={}, settings=(), resume=False
    )
    assert (recipe.name, recipe.model, recipe.design) == ("scratch", None, wanted)


def chosen(
    tmp_path: Path, *, model: str | None = None, recipe: str | None = None, settings: Sequence[str] = ()
) -> Recipe:
    return select_recipe(
        tmp_path / "run", model=model, design=None, recipe=recipe, options={}, settings=settings, resume=False
    )


@pytest.mark.parametrize("recipe", ["scratch", "paper", "modern", None])
def test_a_design_that_is_set_is_the_one_that_is_trained(recipe: str | None, tmp_path: Path) -> None:
    found = chosen(tmp_path, recipe=recipe, settings=["design=d=13,w_0=24,w_a=36.44,w_m=2.49,g=8"])
    wanted = Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    assert (found.model, found.pretrained, found.design) == (None, False, wanted)
    with pytest.raises(RecipeError, match="exclude each other"):
        chosen(tmp_path, model="regnety_002", settings=["design=d=13,w_0=24,w_a=36.44,w_m=2.49,g=8"])


def test_the_model_of_the_package_is_for_fine_tuning_alone(tmp_path: Path) -> None:
    assert chosen(tmp_path).model == "regnety_tiny"
    for recipe in ("scratch", "paper", "modern", "population"):
        found = chosen(tmp_path, recipe=recipe)
        assert found.model is None
        with pytest.raises(RecipeError, match=f"recipe {recipe}: names neither a model nor a design"):
            resolve_recipe(found)


def test_a_model_that_is_set_has_its_own_rate(tmp_path: Path) -> None:
    assert chosen(tmp_path, recipe="paper", settings=["model=regnety_320"]).optimizer.lr == 0.2
    assert chosen(tmp_path, recipe="paper", model="regnety_320").batch_size == 256
