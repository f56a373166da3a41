"""What a run starts from: weights only where they are asked for, a classifier only where its classes are the same."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import LABELS, SMALL, small_bundle
from regnety import Bundle, Preprocessing
from regnety.network.creation import numpy_weights
from regnety.training.recipes.named_recipes import finetune, scratch
from regnety.training.recipes.recipe import Recipe, with_settings
from regnety.training.starting_point import resolve_recipe


def recipe_for(model: Path | str, *settings: str, recipe: Recipe | None = None) -> Recipe:
    return with_settings(recipe or finetune(), [f"model={model}", *settings])


def weights_for(recipe: Recipe, classes: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    network, line = resolve_recipe(recipe).network(classes)
    return numpy_weights(network), line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_bundle().save(tmp_path / "model")


def test_from_scratch_none_of_the_models_weights_are_taken(folder: Path, tmp_path: Path) -> None:
    before = Bundle.load(folder)
    safetensors = folder / "model.safetensors"
    for model in (folder, safetensors, small_bundle(None, num_classes=7).save(tmp_path / "other")):
        found, line = weights_for(recipe_for(model, "image_size=32", recipe=scratch()), LABELS)
        assert line == "starts from random weights, seed 0"
        assert found.keys() == before.weights.keys()
        assert found["head.fc.weight"].shape == (4, 32)
        for key in ("stem.conv.weight", "s1.b1.conv2.conv.weight", "head.fc.weight"):
            assert abs(np.corrcoef(found[key].ravel(), before.weights[key].ravel())[0, 1]) < 0.3, key
        assert (found["stem.bn.weight"] == 1).all()
        assert (found["stem.bn.running_mean"] == 0).all()


def test_from_scratch_the_seed_decides_and_the_design_is_the_models(folder: Path) -> None:
    first, again, other = (
        weights_for(recipe_for(folder, "image_size=32", f"seed={seed}", recipe=scratch()), LABELS)[0]
        for seed in (0, 0, 1)
    )
    assert all((first[key] == again[key]).all() for key in first)
    assert (first["stem.conv.weight"] != other["stem.conv.weight"]).any()
    start = resolve_recipe(recipe_for("regnety_cifar10", recipe=scratch()))
    network, _ = start.network(("a", "b"))
    assert network.architecture == Bundle.load("regnety_cifar10").metadata.design.architecture(2)


def test_the_classifier_is_kept_where_the_classes_are_the_same(folder: Path) -> None:
    before = Bundle.load(folder).weights
    found, line = weights_for(recipe_for(folder), LABELS)
    assert all((found[key] == before[key]).all() for key in before)
    assert line == f"starts from the weights of {folder} and its classifier, as the classes are the same"


def test_classes_in_another_order_take_their_outputs_along(tmp_path: Path) -> None:
    labels = ("white", "red", "blue", "green")
    folder = small_bundle(labels).save(tmp_path / "model")
    before = Bundle.load(folder).weights
    found, _ = weights_for(recipe_for(folder), LABELS)
    for new, label in enumerate(LABELS):
        old = labels.index(label)
        assert (found["head.fc.weight"][new] == before["head.fc.weight"][old]).all()
        assert found["head.fc.bias"][new] == before["head.fc.bias"][old]
    assert (found["stem.conv.weight"] == before["stem.conv.weight"]).all()


@pytest.mark.parametrize(
    ("labels", "classes", "why"),
    [
        (LABELS, ("ant", "bee", "cow", "dog"), "its classes differ"),
        (LABELS, ("blue", "green", "red", "yellow"), "its classes differ"),
        (LABELS, ("blue", "green", "red"), "its classes differ"),
        (("crane", "crane", "dog", "red"), ("crane", "dog", "owl", "red"), "its classes differ"),
        (None, LABELS, "it has no class names"),
    ],
)
def test_a_classifier_of_other_classes_is_not_kept(
    labels: tuple[str, ...] | None, classes: tuple[str, ...], why: str, tmp_path: Path, caplog: Any
) -> None:
    folder = small_bundle(labels).save(tmp_path / "model")
    before = Bundle.load(folder).weights
    found, line = weights_for(recipe_for(folder), classes)
    assert line == f"starts from the weights of {folder} with a new classifier, as {why}"
    assert found["head.fc.weight"].shape == (len(classes), 32)
    assert abs(found["head.fc.weight"]).max() < 0.06  # drawn with a deviation of 0.01
    assert (found["head.fc.bias"] == 0).all()
    assert (found["stem.conv.weight"] == before["stem.conv.weight"]).all()
    again, _ = weights_for(recipe_for(folder), classes)
    assert (again["head.fc.weight"] == found["head.fc.weight"]).all()
    assert caplog.messages == []


def test_ten_classes_do_not_start_from_cifars_classifier() -> None:
    before = Bundle.load("regnety_cifar10")
    digits, line = weights_for(recipe_for("regnety_cifar10"), tuple("0123456789"))
    assert "new classifier" in line
    assert abs(digits["head.fc.weight"]).max() < 0.06
    assert before.labels is not None
    kept, _ = weights_for(recipe_for("regnety_cifar10"), tuple(sorted(before.labels)))
    assert (kept["head.fc.weight"] == before.weights["head.fc.weight"].astype(np.float32)).all()


TWO_SIZES = dataclasses.replace(SMALL, test_image_size=48, test_crop_pct=1.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), TWO_SIZES),
        (("image_size=32",), TWO_SIZES),
        (("image_size=40",), Preprocessing(image_size=40, crop_pct=0.875)),
        (("image_size=24", "crop_pct=0.5"), Preprocessing(image_size=24, crop_pct=0.5)),
        (("image_size=48",), Preprocessing(image_size=48, crop_pct=1.0)),
    ],
)
def test_the_best_size_of_a_model_belongs_to_the_size_that_it_was_trained_at(
    settings: tuple[str, ...], expected: Preprocessing, tmp_path: Path
) -> None:
    folder = small_bundle(preprocessing=TWO_SIZES).save(tmp_path / "model")
    start = resolve_recipe(recipe_for(folder, *settings))
    assert start.preprocessing == dataclasses.replace(expected, exif_orientation=True)
    assert (start.recipe.image_size, start.recipe.crop_pct) == (expected.image_size, expected.crop_pct)
    assert start.why_this_size.startswith("as the recipe says" if settings else f"the size of {folder}; --set ")
