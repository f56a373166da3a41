"""Recipes: checked values, as YAML and as settings, and back."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundles import SMALL_DESIGN
from regnety import RecipeError
from regnety.training.recipes.named_recipes import RECIPES, load_recipe
from regnety.training.recipes.optimizer import Optimizer
from regnety.training.recipes.recipe import Recipe, read_recipe, recipe_from_dict, recipe_text, with_settings

PLAIN = Recipe(name="plain")


@pytest.mark.parametrize("name", RECIPES)
def test_yaml_brings_a_recipe_back(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]()
    (tmp_path / "recipe.yaml").write_text(recipe_text(recipe), "utf-8")
    assert recipe.name == name
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
    assert load_recipe(str(tmp_path / "recipe.yaml")) == load_recipe(name) == recipe


def test_awkward_values_come_back(tmp_path: Path) -> None:
    recipe = Recipe(
        name="naïve: 猫 # no comment",
        model="null",
        design=SMALL_DESIGN,
        optimizer=Optimizer(lr=1e-7, weight_decay=5e-05),
        seed=2**63 - 1,
    )
    (tmp_path / "recipe.yaml").write_text(recipe_text(recipe), "utf-8")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_says_how_it_is_run(name: str) -> None:
    record = str(RECIPES[name].__doc__)
    assert f"Command:  regnety train --recipe {name} " in record
    assert "Result:   " in record  # where no run was made, it says so


@pytest.mark.parametrize(
    ("setting", "path", "expected"),
    [
        ("epochs=5", "epochs", 5),
        (" epochs = 5", "epochs", 5),
        ("warmup_epochs=2", "warmup_epochs", 2.0),
        ("optimizer.lr=0.05", "optimizer.lr", 0.05),
        ("optimizer.lr=5e-5", "optimizer.lr", 5e-5),  # YAML 1.1 reads it as a word
        ("optimizer.weight_decay=0", "optimizer.weight_decay", 0.0),
        ("optimizer.decay_norms_and_biases=false", "optimizer.decay_norms_and_biases", False),
        ("augmentation.crop=shift", "augmentation.crop", "shift"),
        ("augmentation.flip=no", "augmentation.flip", False),
        ("image_size=null", "image_size", None),
        ("image_size=64", "image_size", 64),
        ("model=runs/a=b/bundle", "model", "runs/a=b/bundle"),
        ("design=depth=2,w0=16,wa=16,wm=2,group_width=8,stem_stride=1", "design", SMALL_DESIGN.as_dict()),
    ],
)
def test_a_setting_changes_one_field(setting: str, path: str, expected: Any) -> None:
    changed: Any = with_settings(PLAIN, [setting])
    values, plain = changed.as_dict(), PLAIN.as_dict()
    *groups, name = path.split(".")
    for group in groups:
        values, plain = values[group], plain[group]
    assert values[name] == expected
    assert type(values[name]) is type(expected)
    assert {**values, name: plain[name]} == plain


def test_later_settings_win() -> None:
    assert with_settings(PLAIN, ["epochs=5", "optimizer.lr=1", "epochs=7"]).epochs == 7
    assert with_settings(PLAIN, []) == PLAIN


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "--set takes key=value, got 'epochs'"),
        ("epochs=", "--set: epochs must be a whole number, got None"),
        ("epochs=many", "--set: epochs must be a whole number, got 'many'"),
        ("epochs=1.5", "--set: epochs must be a whole number, got 1.5"),
        ("epochs=true", "--set: epochs must be a whole number, got True"),
        ("epochs=0", "--set: epochs must be from 1 to 9999, got 0"),
        ("epochs=[", "--set epochs: cannot read the value '['"),
        ("lr=0.1", "--set lr: a recipe has no such field; did you mean optimizer.lr (--lr)? it has name, model, "),
        ("optimizer.rate=0.1", "--set optimizer.rate: a recipe has no such field"),
        ("optimizer=0.1", "--set optimizer: a recipe has no such field"),
        ("epochs.x=1", "--set epochs.x: a recipe has no such field"),
        ("=1", "--set : a recipe has no such field"),
        ("optimizer.lr=fast", "--set: optimizer.lr must be a number, got 'fast'"),
        ("optimizer.lr=0", "--set: optimizer.lr must be above 0, got 0"),
        ("optimizer.lr=.nan", "--set: optimizer.lr must be a number, got nan"),
        ("optimizer.momentum=1", "--set: optimizer.momentum must be from 0 to below 1, got 1.0"),
        ("augmentation.crop=random", "--set: augmentation.crop must be one of resized, pycls, shift, got 'random'"),
        ("augmentation.flip=maybe", "--set: augmentation.flip must be true or false, got 'maybe'"),
        ("augmentation.min_area=0", "--set: augmentation.min_area must be above 0 to 1, got 0.0"),
        ("augmentation.shift=65", "--set: augmentation.shift must be from 0 to 64 pixels, got 65"),
        ("model=3", "--set: model must be a text, got 3"),
        ("precision=f8", "--set: precision must be one of auto, f32, bf16, f16, f64, got 'f8'"),
        ("batch_size=1", "--set: batch_size must be at least 2, got 1"),
        ("image_size=7", "--set: image_size must be from 8 to 8192 pixels, got 7"),
        ("crop_pct=1.1", "--set: crop_pct must be from 0.01 to 1, got 1.1"),
        ("val_fraction=0.6", "--set: val_fraction must be from 0 to 0.5, got 0.6"),
        ("ema_decay=1", "--set: ema_decay must be from 0 to below 1, got 1.0"),
        ("seed=-1", "--set: seed must be from 0 to 2**63 - 1, got -1"),
        ("label_smoothing=-0.1", "--set: label_smoothing must be from 0 to below 1, got -0.1"),
        ("small_image_size=4", "--set: small_image_size must be at least 8 pixels, got 4"),
        ("design=depth=2", "Design lacks "),
        ("design={depth: 2}", "a design is written name=value"),
    ],
)
def test_a_wrong_setting_names_its_field(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as error:
        with_settings(PLAIN, [setting])
    assert type(error.value).__module__ == "regnety.errors"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe must be a table of fields, got None"),
        ("- 1", "a recipe must be a table of fields, got [1]"),
        ("name: [", "cannot be read as YAML: "),
        ("epochs: 3", "a recipe lacks name"),
        ("name: a\nepoch: 3", "a recipe has no field 'epoch'; did you mean epochs"),
        ("name: a\noptimizer: {rate: 3}", "optimizer has no field 'rate'; it has name, lr, "),
        ("name: a\noptimizer: 3", "optimizer must be a table of fields, got 3"),
        ("name: a\nepochs: '3'", "epochs must be a whole number, got '3'"),
        ("name: a\ndesign: 3", "a design must be a table of fields, got 3"),
        ("name: a\ndesign: {depth: 2}", "Design lacks "),
        ("name: !!python/object/apply:os.getcwd []", "cannot be read as YAML: "),
    ],
)
def test_a_wrong_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_recipe(path)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff")])
def test_what_is_no_file_is_named(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "mine.yaml")
    with pytest.raises(RecipeError, match=r"mine\.yaml: (no such recipe file|cannot be read as YAML: )"):
        load_recipe(str(tmp_path / "mine.yaml"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("imagenet")
    assert str(error.value) == (f"no recipe named 'imagenet', and no such file; named recipes: {', '.join(RECIPES)}")


def test_recipes_are_values() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PLAIN.epochs = 3  # type: ignore[misc]
    assert recipe_from_dict(PLAIN.as_dict(), source="test") == PLAIN


def test_a_run_that_was_made_shorter_sees_its_own_size_too() -> None:
    whole = Recipe(name="x", image_size=64, epochs=100, small_epochs=40, small_image_size=48)
    assert [whole.small_size(epoch) for epoch in (0, 39, 40, 99)] == [48, 48, None, None]
    short = replace(whole, epochs=30)
    assert [short.small_size(epoch) for epoch in (0, 23, 24, 29)] == [48, 48, None, None]
    assert replace(whole, epochs=1).small_size(0) is None
    growing = replace(short, small_sizes=2, epochs=5)
    assert [growing.small_size(epoch) for epoch in range(5)] == [48, 48, 56, 56, None]


def test_sizes_and_lengths_that_make_no_sense() -> None:
    with pytest.raises(RecipeError, match="small_image_size 160 is larger than image_size 128; set small_epochs=0"):
        Recipe(name="x", image_size=128, small_epochs=2, small_image_size=160)
    Recipe(name="x", image_size=128, small_image_size=160)
    with pytest.raises(RecipeError, match="epochs must be from 1 to 9999"):
        Recipe(name="x", epochs=10_000)
