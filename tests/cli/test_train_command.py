"""`regnety train`: the choices of its user, and what it says when they do not fit."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from commands import one_line, regnety, regnety_here
from pictures import write_colours
from regnety import Bundle
from regnety.training.recipe import read_recipe
from regnety.training.recipes import RECIPES
from runs import DESIGN, command, epochs_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("data"), count=4)


def test_a_whole_run_as_a_process(data: Path, tmp_path: Path) -> None:
    result = regnety(*command(data, tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path}/run/bundle: val top1 ")
    assert re.search(r", 3 epochs, \d+\.\d minutes\n$", result.stdout)
    assert [line for line in result.stderr.splitlines() if line.startswith("epoch 3/3: loss ")]
    provenance = Bundle.load(tmp_path / "run" / "bundle").provenance
    assert provenance["command"].startswith(
        f"regnety train --data {data} --output {tmp_path}/run --design depth=2,w0=16"
    )
    answer = regnety("predict", data / "red" / "000.png", "--model", tmp_path / "run" / "bundle", "--format", "json")
    assert answer.returncode == 0, answer.stderr
    assert {entry["label"] for entry in json.loads(answer.stdout)[0]["predictions"]} == {"blue", "green", "red"}


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ("scratch", ["--design", DESIGN, "--set", "image_size=32"]),
        ("finetune", ["--model", "regnety_cifar10"]),
        ("cifar10", ["--design", DESIGN]),
        pytest.param("cifar10", [], marks=pytest.mark.slow),
    ],
)
def test_one_epoch_of_every_named_recipe(
    recipe: str, more: list[str], data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert recipe in RECIPES
    arguments = ["train", "--data", data, "--output", tmp_path / "run", "--recipe", recipe, "--set", "epochs=1"]
    result = regnety_here(capfd, *arguments, *more)
    assert result.returncode == 0, result.stderr
    assert epochs_of(tmp_path / "run") == [1]
    assert Bundle.load(tmp_path / "run" / "bundle").labels == ("blue", "green", "red")


def test_every_named_recipe_is_tried_above() -> None:
    (parameters,) = (mark.args[1] for mark in test_one_epoch_of_every_named_recipe.pytestmark)  # type: ignore[attr-defined]
    tried = {parameter.values[0] if hasattr(parameter, "values") else parameter[0] for parameter in parameters}
    assert tried == set(RECIPES)


def test_with_nothing_named_the_embedded_model_is_fine_tuned(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, "train", "--data", data, "--output", tmp_path / "run", "--set", "epochs=1")
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("regnety: no model named; fine-tuning regnety_cifar10\n")
    recipe = read_recipe(tmp_path / "run" / "recipe.yaml")
    assert (recipe.name, recipe.model, recipe.pretrained) == ("finetune", "regnety_cifar10", True)
    assert (recipe.image_size, recipe.crop_pct) == (32, 1.0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--design", DESIGN], {"name": "scratch", "model": None, "pretrained": False, "seed": 0}),
        (["--model", "{bundle}"], {"name": "finetune", "model": "{bundle}", "pretrained": True, "design": None}),
        (["--recipe", "cifar10", "--design", DESIGN, "--seed", "5"], {"name": "cifar10", "model": None, "seed": 5}),
        (["--recipe", "scratch", "--model", "{bundle}"], {"name": "scratch", "model": "{bundle}", "pretrained": False}),
        (["--design", DESIGN, "--set", "seed=7"], {"seed": 7}),
    ],
)
def test_what_the_user_names_is_what_is_trained(
    more: list[str], expected: dict[str, Any], data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = small_bundle().save(tmp_path / "bundle")
    settings = ["--set", "epochs=1", "--set", "image_size=32", "--quiet"]
    named = [argument.format(bundle=bundle) for argument in more]
    result = regnety_here(capfd, "train", "--data", data, "--output", tmp_path / "run", *named, *settings)
    assert result.returncode == 0, result.stderr
    found = read_recipe(tmp_path / "run" / "recipe.yaml").as_dict()
    for field, value in expected.items():
        assert found[field] == (value.format(bundle=bundle) if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "x", "--design", DESIGN], "--model and --design exclude each other: name the one to train"),
        (["--recipe", "imagenet"], "no recipe named 'imagenet', and no such file; named recipes: scratch, finetune"),
        (["--recipe", "{tmp}/mine.yaml"], "{tmp}/mine.yaml: no such recipe file"),
        (["--recipe", "scratch", "--set", "epochs"], "--set takes key=value, got 'epochs'"),
        (["--set", "epochs=x"], "--set: epochs must be a whole number, got 'x'"),
        (["--set", "lr=1"], "--set lr: a recipe has no such field; it has name, model,"),
        (["--set", "epochs=0"], "--set: epochs must be at least 1, got 0"),
        (["--seed", "-1"], "seed must be from 0 to 2**63 - 1, got -1"),
        (["--model", "regnetz"], "no model named 'regnetz'"),
        (["--model", "regnety_040"], "regnety_040.pycls_in1k: the weights of this model are not on this disk"),
        (["--design", "depth=1"], "Design lacks w0"),
        (["--design", DESIGN + ",w0=8"], "w0 is given twice in the design"),
        (["--design", DESIGN, "--set", "image_size=4"], "--set: image_size must be from 8 to 8192 pixels, got 4"),
    ],
)
def test_choices_that_do_not_fit_are_one_line(
    arguments: list[str], message: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    named = [argument.format(tmp=tmp_path) for argument in arguments]
    result = regnety_here(capfd, "train", "--data", data, "--output", tmp_path / "run", *named, "--quiet")
    assert one_line(result).startswith(message.format(tmp=tmp_path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data_name", "output", "message"),
    [
        ("nowhere", "run", "{tmp}/nowhere: there is no such folder"),
        ("data/red/000.png", "run", "{tmp}/data/red/000.png: is a file"),
        ("data/red", "run", "{tmp}/data/red: has no class folders"),
        ("one", "run", "{tmp}/one: holds one class (red)"),
        ("data", "file", "{tmp}/file: is a file; --output names a folder"),
        ("data", "file/run", "{tmp}/file/run: "),
        ("data", "data", "{tmp}/data: is not empty and holds no run; name another --output"),
    ],
)
def test_folders_that_do_not_fit_are_one_line(
    data_name: str, output: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_colours(tmp_path / "data", count=2)
    write_colours(tmp_path / "one", "red", count=2)
    (tmp_path / "file").write_text("precious")
    result = regnety_here(capfd, *command(tmp_path / data_name, tmp_path / output), "--quiet")
    assert one_line(result).startswith(message.format(tmp=tmp_path))
    assert (tmp_path / "file").read_text() == "precious"


def test_an_unreadable_picture_is_one_line(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_colours(tmp_path / "data", count=4)
    (tmp_path / "data" / "red" / "bad.jpg").write_text("text")
    result = regnety_here(capfd, *command(tmp_path / "data", tmp_path / "run"), "--quiet")
    assert one_line(result) == (
        f"{tmp_path}/data/red/bad.jpg: is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)"
    )


def test_a_changed_setting_with_resume_names_the_field(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert regnety_here(capfd, *command(data, output), "--quiet").returncode == 0
    for more in (command(data, output), ["train", "--data", data, "--output", output]):
        changed = regnety_here(capfd, *more, "--resume", "--set", "optimizer.lr=0.7", "--quiet")
        assert one_line(changed) == f"{output}: the run has optimizer.lr=0.1, --resume cannot change it to 0.7"
