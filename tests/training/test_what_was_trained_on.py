"""A run keeps fingerprints of what it was trained on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pictures import write_colours
from regnety import Bundle, create_model
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.folders import read_class_folders
from regnety.inference.evaluation import evaluate
from regnety.training.run import train
from runs import run, small_recipe


def known_to(bundle: Path, *folders: Path) -> list[int]:
    """Of how many files of each folder a bundle knows that it was trained on them."""
    found = Bundle.load(bundle).training_files
    assert found is not None
    return [
        len(set(found.values.tolist()) & set(TrainingFiles.of(sorted(folder.rglob("*.png"))).values.tolist()))
        for folder in folders
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """alone/: class folders alone, of which some are held out; splits/: train and val."""
    root = tmp_path_factory.mktemp("runs")
    write_colours(root / "alone", "red", "blue", count=20)
    run(root / "alone", root / "run-alone", "epochs=1")
    write_colours(root / "splits" / "train", "red", "blue", count=8, seed=1)
    write_colours(root / "splits" / "val", "red", "blue", count=3, seed=2)
    run(root / "splits", root / "run-splits", "epochs=1")
    return root


def test_what_was_held_out_is_not_among_them(runs: Path) -> None:
    held = json.loads((runs / "run-alone" / "split.json").read_text())["val"]
    assert len(held) == 4
    assert known_to(runs / "run-alone" / "bundle", runs / "alone") == [36]
    found = evaluate(
        Bundle.load(runs / "run-alone" / "bundle"), read_class_folders(runs / "alone"), held_out_only=True, quiet=True
    )
    assert (found.count, found.left_out, found.trained_on) == (4, 36, 0)
    assert {name: of.count for name, of in found.per_class.items()} == {"blue": 2, "red": 2}


def test_of_splits_only_train_is_trained_on(runs: Path) -> None:
    bundle, data = runs / "run-splits" / "bundle", runs / "splits"
    assert known_to(bundle, data / "train", data / "val", runs / "alone") == [16, 0, 0]


def test_training_further_adds_to_them(runs: Path, tmp_path: Path) -> None:
    recipe = replace(small_recipe("epochs=1"), design=None, model=str(runs / "run-splits" / "bundle"), pretrained=True)
    train(runs / "alone", tmp_path / "run", recipe, quiet=True)
    assert known_to(tmp_path / "run" / "bundle", runs / "splits" / "train", runs / "alone") == [16, 36]


def test_a_network_takes_them_from_a_bundle_to_the_next(runs: Path, tmp_path: Path) -> None:
    bundle = runs / "run-splits" / "bundle"
    create_model(bundle).save_pretrained(tmp_path / "a")
    assert known_to(tmp_path / "a", runs / "splits" / "train") == [16]
    design = Bundle.load(bundle).metadata.design
    create_model(design, num_classes=2, checkpoint_path=bundle).save_pretrained(tmp_path / "b")
    assert known_to(tmp_path / "b", runs / "splits" / "train") == [16]
    create_model(design, num_classes=2).save_pretrained(tmp_path / "c")
    assert Bundle.load(tmp_path / "c").training_files is None


def test_the_place_of_a_picture_says_nothing_its_content_does(runs: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(runs / "splits" / "train", tmp_path / "elsewhere")
    for number, file in enumerate(sorted(moved.rglob("*.png"))):
        file.rename(file.with_name(f"other {number}.png"))
    assert known_to(runs / "run-splits" / "bundle", moved) == [16]
