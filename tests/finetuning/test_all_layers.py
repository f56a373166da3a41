"""All layers, from a classifier on: what is learnt, what is kept, and a run that goes on where it was."""

import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest

from bundles import SMALL_DESIGN, random_weights, small_bundle
from pictures import COLOURS, write_colours
from regnety import Bundle, RecipeError
from regnety.datasets.data_sets import read_data_set
from regnety.datasets.samples import DataSplits
from regnety.files.arrays import Array
from regnety.finetuning import all_layers, trial_steps
from regnety.finetuning.all_layers import LayersOptions, LayersResult, fit_all_layers
from regnety.finetuning.planning import Plan, Revision, read_plan
from regnety.inference.evaluation import evaluate
from regnety.training.checkpoints import checkpoints
from regnety.training.epoch_weights import EpochWeights
from regnety.training.session import Session
from regnety.training.torch_threads import torch_threads, with_torch_threads

TESTS = Path(__file__).parent.parent
EPOCHS = 15


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> DataSplits:
    folder = tmp_path_factory.mktemp("colours")
    for seed, (split, count) in enumerate((("train", 12), ("val", 6))):
        write_colours(folder / split, count=count, seed=seed)
    return read_data_set(folder).training()


def base() -> Bundle:
    return small_bundle(tuple(COLOURS), provenance={"license": "mit", "temperature": 2.0})


def fit(run: Path, splits: DataSplits, options: LayersOptions | None = None, *, seed: int = 0) -> LayersResult:
    run.mkdir(exist_ok=True)
    options = options or LayersOptions(epochs=EPOCHS)
    return fit_all_layers(run, base(), splits, options=options, seed=seed, quiet=True)


def same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def alone(splits: DataSplits, tmp_path_factory: pytest.TempPathFactory) -> LayersResult:
    return fit(tmp_path_factory.mktemp("alone"), splits)


def test_colours_are_learnt(alone: LayersResult, splits: DataSplits) -> None:
    assert alone.val_top1 is not None
    assert alone.start_top1 is not None
    # The classifier that training begins with is fitted to the colours; that of the model is random.
    assert alone.start_top1 > 60 > evaluate(base(), splits.val, quiet=True).top1
    assert alone.val_top1 >= max(90, alone.start_top1)
    assert alone.epochs == len(alone.history) == EPOCHS
    assert evaluate(alone.bundle, splits.val, quiet=True).top1 == pytest.approx(alone.val_top1, abs=6)
    assert alone.bundle.labels == splits.classes
    assert alone.bundle.preprocessing.exif_orientation
    provenance = alone.bundle.provenance
    assert (provenance["license"], provenance["epochs"]) == ("mit", EPOCHS)
    assert "temperature" not in provenance  # it was the classifier's


def test_a_run_goes_on_by_its_own_plan_to_the_same_weights(
    alone: LayersResult, splits: DataSplits, tmp_path: Path
) -> None:
    whole = fit(tmp_path / "run", splits)
    assert same(whole.bundle.weights, alone.bundle.weights)
    assert (whole.val_top1, whole.history[-1]["lr"]) == (alone.val_top1, alone.history[-1]["lr"])
    for path in checkpoints(tmp_path / "run")[1:]:  # back to before the last epoch
        path.unlink()
    # What is asked for now changes nothing: the plan is in the folder.
    again = fit(tmp_path / "run", splits, LayersOptions(epochs=9), seed=5)
    assert same(again.bundle.weights, alone.bundle.weights)
    assert again.bundle.provenance == alone.bundle.provenance
    assert [row["epoch"] for row in again.history] == list(range(1, EPOCHS + 1))
    ended = fit(tmp_path / "run", splits)
    assert same(ended.bundle.weights, alone.bundle.weights)
    assert ended.seconds == again.seconds


def script(monkeypatch: pytest.MonkeyPatch, *top1: float) -> None:
    """Validations that find this, one after the other, and then the last for good."""
    found = chain(top1, repeat(top1[-1]))
    monkeypatch.setattr(EpochWeights, "score", lambda *_: {"val_top1": next(found), "val_loss": 1.0})


def test_where_no_epoch_is_better_the_start_stays(
    splits: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, 90.0, 80.0, 70.0)
    result = fit(tmp_path / "run", splits)
    assert (result.start_top1, result.val_top1) == (90.0, 90.0)
    changed = {key for key, value in base().weights.items() if not np.array_equal(result.bundle.weights[key], value)}
    assert {key for key in changed if "running" not in key} <= {"head.fc.weight", "head.fc.bias"}
    assert result.bundle.provenance["weights"].startswith("of epoch 0")


def test_patience_ends_a_run_early(splits: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, 50.0, 60.0, 70.0, 65.0)
    result = fit(tmp_path / "run", splits, LayersOptions(epochs=30, patience=3))
    assert (result.epochs, result.val_top1) == (5, 70.0)
    assert result.bundle.provenance["stopped"] == "after epoch 5 of 30, as the last 3 were no better"
    assert fit(tmp_path / "run", splits).epochs == 5


def test_without_validation_the_last_epoch_is_kept(splits: DataSplits, tmp_path: Path) -> None:
    result = fit(tmp_path / "run", DataSplits.of(splits.root, splits.train))
    assert result.val_top1 is None
    assert result.start_top1 is None
    assert result.bundle.provenance["weights"].startswith(f"of epoch {EPOCHS}")


def test_a_damaged_plan_is_one_line(splits: DataSplits, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(run, splits, LayersOptions(epochs=1))
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    plan["recipe"]["optimizer"]["lr"] = "fast"
    for text in ("{", "[]", json.dumps(plan)):
        (run / "plan.json").write_text(text, "utf-8")
        with pytest.raises(RecipeError) as error:
            fit(run, splits)
        assert str(error.value).startswith(f"{run}/plan.json: ")
        assert "\n" not in str(error.value)


def test_classes_in_another_order_keep_their_classifier(splits: DataSplits, tmp_path: Path) -> None:
    architecture = SMALL_DESIGN.architecture(3)
    weights = random_weights(architecture)
    ordered = small_bundle(tuple(COLOURS))
    names = tuple(reversed(tuple(COLOURS)))
    backwards = dict(weights)
    for key in ("head.fc.weight", "head.fc.bias"):
        backwards[key] = weights[key][::-1].copy()
    reversed_labels = Bundle(small_bundle(names).metadata, backwards, name="backwards")
    found = []
    for number, bundle in enumerate((ordered, reversed_labels)):
        (tmp_path / str(number)).mkdir()
        options = LayersOptions(epochs=1)
        found.append(fit_all_layers(tmp_path / str(number), bundle, splits, options=options, quiet=True))
    assert same(found[0].bundle.weights, found[1].bundle.weights)


def test_a_time_limit_is_planned_once_and_kept(
    splits: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine whose steps take two seconds, however fast or busy this one is.
    monkeypatch.setattr(Session, "measure_step_s", lambda *_, **__: 2.0)
    # Nor is it found to be faster meanwhile.
    monkeypatch.setattr(all_layers, "epochs_that_fit", lambda plan, **_: plan.recipe.epochs)
    result = fit(tmp_path / "run", splits, LayersOptions(time_limit_s=60))
    plan = read_plan(tmp_path / "run")
    assert plan is not None
    assert plan.costs is not None
    assert (plan.time_limit_s, plan.recipe.epochs, plan.passes) == (60, result.epochs, result.passes)
    assert plan.recipe.steps_per_epoch is not None
    # Costs are small here: what was planned is most of what was left of the time.
    planned_s = plan.recipe.steps_per_epoch * plan.recipe.epochs * plan.costs.step_s
    assert plan.prepared_s is not None
    assert 0.6 * (60 - plan.prepared_s) < planned_s < 60 - plan.prepared_s
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == []
    # The plan alone says how it ends: no clock, and no other limit.
    (tmp_path / "again").mkdir()
    plan = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, epochs=3, steps_per_epoch=5))
    plan.write(tmp_path / "again")
    short = fit(tmp_path / "again", splits, LayersOptions(time_limit_s=0.001))
    (tmp_path / "third").mkdir()
    plan.write(tmp_path / "third")
    assert same(fit(tmp_path / "third", splits).bundle.weights, short.bundle.weights)


@pytest.mark.parametrize("epochs", [2, 4, 7])
def test_a_revised_plan_is_followed_to_the_same_weights(
    epochs: int, splits: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five epochs are planned; after two of them it shows that the run ends there, or after four, or after seven."""
    monkeypatch.setattr(Session, "measure_step_s", lambda *_, **__: 2.0)

    def plan_five(*_: object, **__: object) -> tuple[int, int]:
        return 5, 3

    def revised(plan: Plan, *, done: int, **_: object) -> int:
        return 5 if done < 2 else epochs

    monkeypatch.setattr(trial_steps, "planned_epochs", plan_five)
    monkeypatch.setattr(all_layers, "epochs_that_fit", revised)
    run = tmp_path / "run"
    result = fit(run, splits, LayersOptions(time_limit_s=600))
    plan = read_plan(run)
    assert plan is not None
    assert plan.revisions == (Revision(after=2, epochs=epochs),)
    assert result.epochs == len(result.history) == epochs
    assert result.passes == pytest.approx(plan.passes * epochs / 5, abs=0.01)
    assert "stopped" not in result.bundle.provenance
    lrs = [row["lr"] for row in result.history]
    assert lrs[-1] < max(lrs)
    # From the plan alone; and from the last checkpoint but one, as after a kill.
    (tmp_path / "again").mkdir()
    plan.write(tmp_path / "again")
    for path in checkpoints(run)[-1:]:
        path.unlink()
    for folder in (tmp_path / "again", run, run):
        again = fit(folder, splits, LayersOptions(time_limit_s=600))
        assert same(again.bundle.weights, result.bundle.weights)
        assert again.bundle.provenance == result.bundle.provenance
        assert read_plan(folder) == plan


@pytest.mark.parametrize(("alone_s", "together_s", "chosen"), [(0.5, 0.3, 2), (0.5, 3.6, 1)])
def test_the_faster_number_of_threads_is_planned_and_used(
    alone_s: float,
    together_s: float,
    chosen: int,
    splits: DataSplits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = []

    def step_s(*_: object, **__: object) -> float:
        return alone_s if torch_threads() == 1 else together_s

    def plan_two(*_: object, **__: object) -> tuple[int, int]:
        return 2, 1

    monkeypatch.setattr(Session, "measure_step_s", step_s)
    monkeypatch.setattr(trial_steps, "planned_epochs", plan_two)
    monkeypatch.setattr(all_layers, "epochs_that_fit", lambda plan, **_: used.append(torch_threads()) or 1)
    with with_torch_threads(2):
        fit(tmp_path / "run", splits, LayersOptions(time_limit_s=60))
        assert torch_threads() == 2
    plan = read_plan(tmp_path / "run")
    assert plan is not None
    assert plan.costs is not None
    assert (plan.threads, plan.costs.step_s) == (chosen, min(alone_s, together_s))
    assert used == [chosen]


def test_too_short_a_time_limit_is_one_line(splits: DataSplits, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^the time limit leaves 0 s for training all layers, which need at least "):
        fit(tmp_path / "run", splits, LayersOptions(time_limit_s=0.01))
    assert list((tmp_path / "run").iterdir()) == []


FITTED_ELSEWHERE = """
import sys
from pathlib import Path
from bundles import small_bundle
from pictures import COLOURS
from regnety.datasets.data_sets import read_data_set
from regnety.finetuning.all_layers import LayersOptions, fit_all_layers
from regnety.training.session import Session
run, data, epochs = sys.argv[1:]
bundle = small_bundle(tuple(COLOURS), provenance={"license": "mit", "temperature": 2.0})
options = LayersOptions(epochs=int(epochs))
fit_all_layers(Path(run), bundle, read_data_set(data).training(), options=options, quiet=True)
"""


def test_a_killed_run_ends_as_one_that_nobody_disturbed(
    alone: LayersResult, splits: DataSplits, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    command = [sys.executable, "-c", FITTED_ELSEWHERE, str(run), str(splits.root), str(EPOCHS)]
    moments = random.Random()
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)}) as process:
        while not checkpoints(run) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
    assert checkpoints(run), "it failed before its first epoch"
    result = fit(run, splits)
    assert same(result.bundle.weights, alone.bundle.weights)
    assert result.bundle.provenance == alone.bundle.provenance
    rows = [{**row, "seconds": 0} for row in result.history]
    assert rows == [{**row, "seconds": 0} for row in alone.history]
