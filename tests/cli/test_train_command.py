"""`regnety train`: the choices of its user, and what it says when they do not fit."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from commands import one_line, regnety, regnety_here
from pictures import write_colours
from regnety import Bundle
from regnety.training.checkpoints import checkpoints
from regnety.training.recipes.named_recipes import RECIPES
from regnety.training.recipes.recipe import read_recipe
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


def test_a_run_that_a_supervisor_always_resumes_is_known_by_the_command_that_begins_it(
    data: Path, tmp_path: Path
) -> None:
    words = command(data, tmp_path / "run")
    for _ in range(2):
        assert regnety(*words, "--resume", "-q").returncode == 0
    told = Bundle.load(tmp_path / "run" / "bundle").provenance["command"]
    assert shlex.split(told) == ["regnety", *map(str, words), "-q"]
    assert "\n# run\n" in regnety("card", tmp_path / "run" / "bundle").stdout


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ("scratch", ["--design", DESIGN, "--set", "image_size=32"]),
        ("finetune", ["--model", "regnety_cifar10"]),
        ("cifar10", ["--design", DESIGN]),
        ("tiny", ["--design", DESIGN, "--set", "image_size=32", "--set", "small_image_size=16"]),
        ("paper", ["--design", DESIGN, "--set", "image_size=32"]),
        ("modern", ["--design", DESIGN, "--set", "image_size=32", "--set", "small_image_size=16"]),
        ("population", ["--design", DESIGN, "--set", "image_size=32"]),
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
    assert result.stderr.startswith("regnety: no --model given; fine-tuning regnety_tiny; regnety finetune is faster\n")
    recipe = read_recipe(tmp_path / "run" / "recipe.yaml")
    assert (recipe.name, recipe.model, recipe.pretrained) == ("finetune", "regnety_tiny", True)
    assert (recipe.image_size, recipe.crop_pct) == (64, 1.0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--design", DESIGN], {"name": "scratch", "model": None, "pretrained": False, "seed": 0}),
        (["--model", "{bundle}"], {"name": "finetune", "model": "{bundle}", "pretrained": True, "design": None}),
        (["--recipe", "cifar10", "--design", DESIGN, "--seed", "5"], {"name": "cifar10", "model": None, "seed": 5}),
        (["--recipe", "scratch", "--model", "{bundle}"], {"name": "scratch", "model": "{bundle}", "pretrained": False}),
        (["--design", DESIGN, "--set", "seed=7"], {"seed": 7}),
        (["--design", DESIGN, "--lr", "1e-05", "--batch-size", "4"], {"optimizer.lr": 1e-05, "batch_size": 4}),
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
        table, _, name = field.rpartition(".")
        here = (found[table] if table else found)[name]
        assert here == (value.format(bundle=bundle) if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "x", "--design", DESIGN],
            "model and design (--model, --design) exclude each other; name one of them",
        ),
        (["--recipe", "imagenet"], "no recipe named 'imagenet', and no such file; named recipes: scratch, finetune"),
        (["--recipe", "{tmp}/mine.yaml"], "{tmp}/mine.yaml: no such recipe file"),
        (["--recipe", "scratch", "--set", "epochs"], "--set takes key=value, got 'epochs'"),
        (["--set", "epochs=x"], "--set: epochs must be a whole number, got 'x'"),
        (
            ["--set", "lr=1"],
            "--set lr: a recipe has no such field; did you mean optimizer.lr (--lr)? it has name,",
        ),
        (["--set", "epochs=0"], "--set: epochs must be from 1 to 9999, got 0"),
        (["--seed", "-1"], "--seed: seed must be from 0 to 2**63 - 1, got -1"),
        (["--epochs", "0"], "--epochs: epochs must be from 1 to 9999, got 0"),
        (["--lr", "-0.1"], "--lr: optimizer.lr must be above 0, got -0.1"),
        (["--batch-size", "1"], "--batch-size: batch_size must be at least 2, got 1"),
        (["--epochs", "3", "--set", "epochs=3"], "--epochs and --set epochs are the same setting; give one"),
        (["--lr", "0.1", "--set", " optimizer.lr = 0.2"], "--lr and --set optimizer.lr are the same setting"),
        (["--batch-size", "8", "--set", "batch_size=8"], "--batch-size and --set batch_size are the same setting"),
        (["--seed", "8", "--set", "seed=7"], "--seed and --set seed are the same setting; give one of them"),
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
        ("nowhere", "run", "{tmp}/nowhere: there is no such file or folder"),
        ("data/red/000.png", "run", "{tmp}/data/red/000.png: is no data set"),
        ("data/red", "run", "{tmp}/data/red: has no class folders"),
        ("one", "run", "{tmp}/one: has one class to train on (red)"),
        ("data", "file", "{tmp}/file: is a file; the output is a folder"),
        ("data", "file/run", "{tmp}/file/run: "),
        ("data", "data", "{tmp}/data: is not empty and holds no run; name another output"),
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


def test_an_unreadable_picture_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_colours(tmp_path / "data", count=4)
    (tmp_path / "data" / "red" / "bad.jpg").write_text("text")
    result = regnety_here(capfd, *command(tmp_path / "data", tmp_path / "run"), "--quiet")
    assert one_line(result) == (
        f"{tmp_path}/data/red/bad.jpg: is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC); "
        "repair or remove it, or train without it: --skip-unreadable (skip_unreadable=True)"
    )
    assert not (tmp_path / "run").exists()


def test_of_many_unreadable_pictures_twenty_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_colours(tmp_path / "data", count=4)
    for number in range(23):
        (tmp_path / "data" / "red" / f"bad{number:02d}.jpg").touch()
    result = regnety_here(capfd, *command(tmp_path / "data", tmp_path / "run"), "--quiet")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        *(f"regnety: {tmp_path}/data/red/bad{number:02d}.jpg: is empty" for number in range(20)),
        "regnety: and 3 more",
        "regnety: 23 of 35 pictures cannot be read; repair or remove them, or train without them: "
        "--skip-unreadable (skip_unreadable=True)",
    ]
    again = regnety_here(capfd, *command(tmp_path / "data", tmp_path / "run", "epochs=1"), "--skip-unreadable")
    assert again.returncode == 0, again.stderr
    assert ", 23 left out as unreadable\n" in again.stderr
    assert Bundle.load(tmp_path / "run").provenance["left_out"] == "23 pictures that cannot be read"


def test_a_changed_setting_with_resume_names_the_field(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert regnety_here(capfd, *command(data, output), "--quiet").returncode == 0
    for more in (command(data, output), ["train", "--data", data, "--output", output]):
        changed = regnety_here(capfd, *more, "--resume", "--set", "optimizer.lr=0.7", "--quiet")
        assert one_line(changed) == f"{output}: the run has optimizer.lr=0.1, resuming cannot change it to 0.7"


def test_validation_pictures_in_a_place_of_their_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_colours(tmp_path / "held", count=2)
    words = [*command(data, Path("run")), "--val-data", "held"]
    first = regnety_here(capfd, *words)
    assert (first.returncode, ", 6 to choose the best epoch" in first.stderr) == (0, True)
    assert "bundle: val top1 " in first.stdout
    (tmp_path / "held" / "red" / "000.png").unlink()
    shutil.rmtree(tmp_path / "run" / "bundle")  # as if it had not finished
    again = regnety_here(capfd, *words, "--resume")
    assert "has other pictures than when the run in run began (17 now, 18 then)" in one_line(again)


def test_quiet_says_the_result_alone(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "train", "--data", data, "-o", tmp_path / "run", "--epochs", "1", "-q")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"\S+/run/bundle: val top1 [\d.]+ %, 1 epoch, [\d.]+ minutes\n", result.stdout)


def test_what_a_run_says_when_it_starts(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    named = ("train", "--data", data, "-o", tmp_path / "run", "--epochs", "2", "--batch-size", "3", "--set", "seed=1")
    result = regnety_here(capfd, *named)
    lines = result.stderr.splitlines()
    assert lines[:5] == [
        "regnety: no --model given; fine-tuning regnety_tiny; regnety finetune is faster",
        f"regnety: {data}: 9 photographs of 3 classes to train on, 3 of them held out to choose the best epoch",
        "regnety: regnety_tiny was trained on pictures with terms of their own, ImageNet's: research, not commerce",
        "regnety: the model sees 64x64 pixels, the size of regnety_tiny; --set image_size=PIXELS changes it",
        "regnety: starts from the weights of regnety_tiny with a new classifier, as its classes differ",
    ]
    assert re.fullmatch(r"regnety: 2 epochs of 3 steps, about (a second|\d+ seconds|\d+ minutes) to go", lines[5])
    assert [line.partition(":")[0] for line in lines[6:-1]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[-1] == f"regnety: report: {tmp_path}/run/report.html"
    result = regnety_here(capfd, *named, "--resume")
    assert result.returncode == 0
    assert result.stderr == f"regnety: {tmp_path}/run: has already finished, after 2 epochs; nothing to do\n"
    assert result.stdout.startswith(f"{tmp_path}/run/bundle: val top1 ")


def test_more_epochs_make_an_ended_run_longer(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    assert regnety_here(capfd, *command(data, output), "--quiet").returncode == 0
    fewer = regnety_here(capfd, "train", "--data", data, "-o", output, "--resume", "--epochs", "2")
    assert one_line(fewer) == f"{output}: the run has epochs=3, resuming can make it longer, not shorter (2)"
    unsaid = regnety_here(capfd, "train", "--data", data, "-o", output, "--resume", "--design", DESIGN)
    assert one_line(unsaid) == (
        f"{output}: the run has epochs=3, the recipe scratch has 100; "
        "--epochs 3 (epochs=) continues it, a larger number extends it"
    )
    longer = regnety_here(capfd, "train", "--data", data, "-o", output, "--resume", "--set", "epochs=5")
    assert longer.returncode == 0, longer.stderr
    assert (
        f"regnety: {output}: was extended (3 epochs, extended to 5 after epoch 3); its weights will differ from "
        "those of a run that was started with 5 epochs\n"
    ) in longer.stderr
    assert epochs_of(output) == [1, 2, 3, 4, 5]
    assert read_recipe(output / "recipe.yaml").epochs == 5
    provenance = Bundle.load(output / "bundle").provenance
    assert (provenance["epochs"], provenance["schedule"]) == (5, "3 epochs, extended to 5 after epoch 3")
    assert regnety_here(capfd, "train", "--data", data, "-o", output, "--resume").returncode == 0


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_what_stops_a_run_is_said_and_it_goes_on(sent: signal.Signals, status: int, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    arguments = command(data, output, "epochs=200")
    line = [sys.executable, "-m", "regnety", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while len(checkpoints(output)) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(sent)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (status, ""), err
    assert err.rstrip().endswith("\nregnety: stopped; --resume continues after the last finished epoch")
    assert "Traceback" not in err
    assert Bundle.load(output).provenance["unfinished"].endswith(" of 200 epochs are done")
    assert [path.name for path in output.rglob(".*")] == [".run.lock"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray-workers", "2"], "--ray-workers needs --ray"),
        (["--gpus-per-worker", "1"], "--gpus-per-worker needs --ray"),
        (["--ray", "local", "--ray-workers", "4:2"], "takes a number or MIN:MAX, as 4 or 4:16; got '4:2'"),
        (["--ray", "local", "--ray-workers", "many"], "takes a number or MIN:MAX, as 4 or 4:16; got 'many'"),
        (["--ray", "local", "--ray-workers", "0"], "takes a number or MIN:MAX, as 4 or 4:16; got '0'"),
    ],
)
def test_options_of_a_cluster_that_do_not_fit(
    options: list[str], message: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, *command(data, tmp_path / "run"), *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


def test_what_a_cluster_would_refuse_is_refused_before_there_is_one(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine", "utf-8")
    result = regnety_here(capfd, *command(data, tmp_path), "--ray", "127.0.0.9:1")
    assert result.returncode != 0
    assert one_line(result) == f"{tmp_path}: is not empty and holds no run; name another output"
    result = regnety_here(capfd, *command(data, tmp_path / "run"), "--ray", "127.0.0.9:1")
    assert "no Ray cluster answers there" in one_line(result)
