"""The benchmarks of training: what they plan, what they compare, and their tables."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pictures import write_colours
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import with_settings

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a file of `benchmarks/` up to its functions, which are the answer."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return lambda name: runpy.run_path(str(BENCHMARKS / name))


RECIPE = with_settings(
    load_recipe("cifar10"),
    ["epochs=40", "warmup_epochs=4", "small_epochs=20", "small_sizes=2", "small_image_size=24", "batch_size=100"],
)
"""Ten epochs at 24 pixels, ten at 28, twenty at 32."""


def test_as_many_epochs_as_fit_are_planned(script):
    plans = script("epochs_in_time.py")
    assert plans["sizes"](RECIPE) == [24] * 10 + [28] * 10 + [32] * 20
    assert plans["lasting"](RECIPE, 8) == ["epochs=8", "warmup_epochs=0.8", "small_epochs=4"]
    pace = plans["Pace"](step_s={24: 0.1, 28: 0.2, 32: 0.4}, fixed_s=10)
    # Two epochs of each small size and four of 32: 22 s with ten steps each.
    within = [
        plans["epochs_within"](RECIPE, pace, seconds=seconds / 0.97, steps_per_epoch=10) for seconds in (5, 31.9, 32.1)
    ]
    assert within == [1, 7, 8]


def test_the_operations_of_a_run_are_those_of_its_sizes(script):
    macs = script("epochs_in_time.py")["training_macs"]
    design = RECIPE.design
    assert design is not None
    of_size = {size: script("epochs_in_time.py")["complexity"](design.architecture(10), size).macs for size in (24, 32)}
    short = with_settings(RECIPE, ["epochs=3", "small_epochs=1", "small_sizes=1"])
    assert macs(short, num_classes=10, steps_per_epoch=5) == 3 * 500 * (of_size[24] + 2 * of_size[32])


def test_each_means_that_the_recipe_has_is_left_out_once(script):
    accuracy = script("cifar10_accuracy.py")
    recipe = with_settings(load_recipe("cifar10"), ["augmentation.erasing=0.25", "augmentation.mixup=0", "drop_path=0"])
    found = accuracy["without_each"](recipe, "AVX2")
    assert {"without flip", "without shifts", "without erasing", "without label smoothing"} < set(found)
    assert not {"without mixup", "without stochastic depth", "without random crops", "without bf16"} & set(found)
    assert accuracy["without_each"](recipe, "AVX-512 bf16")["without bf16"] == ["precision=f32"]
    for settings in found.values():
        assert with_settings(recipe, settings) != recipe
    muon = with_settings(recipe, ["optimizer.name=muon", "batch_size=256"])
    replaced = with_settings(muon, accuracy["without_each"](muon, "AVX2")["without muon, with SGD"])
    assert (replaced.optimizer.name, replaced.optimizer.lr) == ("sgd", pytest.approx(0.4))
    assert accuracy["addition"]("larger batches: batch_size=512 optimizer.lr=0.8") == (
        "with larger batches",
        ["batch_size=512", "optimizer.lr=0.8"],
    )


def test_accuracy_within_a_time_is_compared_with_its_target(script):
    accuracy = script("cifar10_accuracy.py")
    part = {"test_top1": 90.0, "epochs": 20, "minutes": 29.5, "pflop": 0.25, "was_resumed": False}
    found = [part, {**part, "test_top1": 91.0}, {**part, "test_top1": 92.0}]
    row = accuracy["accuracy_row"](30.0, found, 90.5)
    assert row["good"]
    assert accuracy["accuracy_table"]([row]).splitlines()[2] == (
        "| regnety, 30 minutes | 91.00 ± 1.00 (3 seeds) | 90.5 | 0.250 | 20 | 29.5 |"
    )
    assert not accuracy["accuracy_row"](30.0, found, 91.5)["good"]
    assert not accuracy["accuracy_row"](30.0, [{**part, "minutes": 30.1}], None)["good"]


def test_the_table_of_tricks_has_differences(script):
    tried = {
        "all": {"test_top1": 88.0, "epochs": 8, "pflop": 0.1},
        "without flip": {"test_top1": 86.5, "epochs": 8, "pflop": 0.1},
    }
    assert script("cifar10_accuracy.py")["tricks_table"](tried).splitlines()[2:] == [
        "| the recipe | 88.00 |  | 8 | 0.100 |",
        "| without flip | 86.50 | -1.50 | 8 | 0.100 |",
    ]


def test_speed_is_compared_with_timms(script):
    speed = script("training_speed.py")
    measured = {
        f"{what}/{name}/{number}": {"images_per_s": rate + number, "epoch_s": 3000 / rate, "process_s": 3100 / rate}
        for name, rate in (("regnety", 100.0), ("timm", 25.0), ("timm tuned", 110.0))
        for what in ("steps", "epoch")
        for number in range(3)
    }
    rows = speed["medians"](measured, ["regnety", "timm", "timm tuned"])
    assert rows["timm"] == {"images_per_s": 26.0, "epoch_s": 120.0, "process_s": 124.0}
    assert speed["markdown"](rows).splitlines()[3] == "| timm | 26.0 | 3.88 times | 120.0 | 4.00 times | 124.0 |"
    assert [line.rpartition(" ")[2] for line in speed["verdicts"](rows, "AVX-512 bf16")] == [
        "reached",
        "missed",
        "reached",
    ]
    assert speed["verdicts"](rows, "no AVX2") == []


@pytest.mark.slow
def test_killed_training_runs_end_as_one_that_nobody_disturbed(tmp_path):
    """And so does one under torchrun, and one whose disk was full."""
    data = write_colours(tmp_path / "data", count=50)
    command = [sys.executable, BENCHMARKS / "training_kills.py", data, tmp_path / "runs", "--epochs", "5"]
    command += ["--kills", "2", "--torchrun-kills", "1", "--output", tmp_path / "kills.json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    parts = json.loads((tmp_path / "kills.json").read_text("utf-8"))["parts"]
    assert [part["same"] for title, part in parts.items() if "kill" in title] == [True] * 3
    if "full disk" in parts:  # where one can be mounted
        assert parts["full disk"]["same"]
