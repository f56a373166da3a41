"""Populations in this process: every trial once, whatever stops them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: make test installs it")

from pictures import write_colours
from populations import DESIGNS, SETTINGS, epochs_of_trials, population, records_of, write_data
from regnety import Population, train
from regnety.datasets.data_sets import read_data_set
from regnety.designspace import executors, running, trials
from regnety.designspace.running import run_population
from regnety.errors import DataError, InvalidDesignError, JobError, LossError, RecipeError
from regnety.training import kept_pictures
from regnety.training.pictures import look_at_pictures
from runs import metrics_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("population") / "data")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population that nothing has stopped."""
    return population(data, tmp_path_factory.mktemp("population") / "whole", keep_best="1/3")


def test_halving_trains_the_best_third_further(whole: Path) -> None:
    epochs = epochs_of_trials(whole)
    assert sorted(map(len, epochs.values())) == [1, 1, 3, 9]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in epochs.values())
    assert not (whole / "trials").exists()  # nothing continues from there


def test_a_survivor_has_the_results_of_a_trial_that_never_paused(data: Path, whole: Path, tmp_path: Path) -> None:
    (survivor,) = (trial for trial, epochs in epochs_of_trials(whole).items() if len(epochs) == 9)
    alone = run_population(DESIGNS[survivor : survivor + 1], data, tmp_path / "alone", settings=SETTINGS, quiet=True)
    paused = [row for record in records_of(whole) if record["trial"] == survivor for row in record["rows"]]
    assert records_of(alone)[0]["rows"] == paused


@pytest.mark.parametrize("stops", [(1,), (0, 4, 5)])
def test_stopped_and_resumed_it_has_the_same_results(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: tuple[int, ...]
) -> None:
    calls = 0

    def stopping(*arguments: Any, **options: Any) -> trials.Outcome:
        nonlocal calls
        calls += 1
        outcome = trials.outcome_of(*arguments, **options)
        if calls - 1 in stops:  # trained, and not yet in the journal
            raise KeyboardInterrupt
        return outcome

    monkeypatch.setattr(executors, "outcome_of", stopping)
    output = tmp_path / "stopped"
    for _ in stops:
        with pytest.raises(KeyboardInterrupt):
            population(data, output, keep_best="1/3", resume=True)
    population(data, output, keep_best="1/3", resume=True)
    assert records_of(output) == records_of(whole)
    assert calls == 7 + len(stops)
    population(data, output, keep_best="1/3", resume=True)
    assert calls == 7 + len(stops)  # a finished one has nothing to do


def test_a_time_limit_ends_a_sitting_and_the_next_goes_on(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0

    def minute(*arguments: Any, **options: Any) -> trials.Outcome:
        nonlocal now
        now += 60
        return trials.outcome_of(*arguments, **options)

    monkeypatch.setattr(executors, "outcome_of", minute)
    monkeypatch.setattr(running, "monotonic", lambda: now)
    output = tmp_path / "sittings"
    sittings = []
    for _ in range(4):
        before = now
        run_population(DESIGNS, data, output, settings=SETTINGS, keep_best="1/3", resume=True, time_limit_s=150)
        sittings.append((now - before) / 60)
        stopped = "stopped after its time limit; --resume goes on" in capsys.readouterr().err
        assert stopped == (len(sittings) < 3)
    assert sittings == [3, 3, 1, 0]  # the third trial of a sitting begins after two minutes
    assert records_of(output) == records_of(whole)
    with pytest.raises(RecipeError, match=r"time_limit_s \(--time-limit\) must be more than 0 and finite, got 0"):
        population(data, tmp_path / "none", time_limit_s=0)


def test_a_failing_trial_is_a_row_with_its_error(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trials.train_trial

    def failing(recipe: Any, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        if recipe.design == DESIGNS[0]:
            raise MemoryError("no room\nfor tensors")
        return real(recipe, *arguments, **options)

    monkeypatch.setattr(trials, "train_trial", failing)
    output = population(data, tmp_path / "failing", count=2, settings=["epochs=1"])
    assert [(record["trial"], record["message"]) for record in records_of(output)] == [
        (0, "no room for tensors"),
        (1, None),
        (0, "no room for tensors"),
        (0, "no room for tensors"),
    ]


def test_a_fault_of_the_machine_does_not_use_up_the_attempts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> list[dict[str, Any]]:
        raise OSError("the card is busy")

    options: dict[str, Any] = {"count": 3, "repeat": 3, "settings": ["epochs=1"]}
    with monkeypatch.context() as patched:
        patched.setattr(trials, "train_trial", failing)
        with pytest.raises(JobError, match="5 trials in a row failed, the last one by: the card is busy; once that is"):
            population(data, tmp_path / "population", **options)
    output = population(data, tmp_path / "population", resume=True, **options)
    found = Population.load(output)
    assert found.counts()["done"] == 9
    assert [result.attempts for result in found] == [1] * 5 + [0] * 4


@pytest.mark.parametrize("crop", ["shift", "resized"])
def test_pictures_are_decoded_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: str) -> None:
    decoded: list[str] = []

    def counting(real: Any) -> Any:
        def call(image: Any, *arguments: Any, **options: Any) -> Any:
            decoded.append(str(image))
            return real(image, *arguments, **options)

        return call

    for name in ("load_pixels", "load_image"):
        monkeypatch.setattr(kept_pictures, name, counting(getattr(kept_pictures, name)))
    trials._whole_pixels.cache_clear()
    trials._cropped_images.cache_clear()
    population(data, tmp_path / "two", count=2, settings=["epochs=2", f"augmentation.crop={crop}"])
    assert len(decoded) == len(set(decoded)) == 12


def test_another_population_is_not_resumed(data: Path, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="holds a population; continue it with --resume"):
        population(data, whole, keep_best="1/3")
    with pytest.raises(JobError, match=r"the population has recipe\.epochs=9, resuming cannot change it to 18"):
        population(data, whole, keep_best="1/3", settings=["epochs=18"], resume=True)
    with pytest.raises(JobError, match=r"the population has keep_best=1/3, resuming cannot change it to None"):
        population(data, whole, resume=True)
    with pytest.raises(JobError, match=r"other designs than were given \(4 trials, 3 given\)"):
        population(data, whole, count=3, keep_best="1/3", resume=True)
    with pytest.raises(DataError, match="has other pictures than when the run"):
        population(write_data(tmp_path / "more" / "data").parent / "data", _with_more(whole, tmp_path), resume=True)


def _with_more(whole: Path, folder: Path) -> Path:
    """A copy of a population whose data had a picture more."""
    copy = folder / "copy"
    copy.mkdir()
    for name in ("population.json", "journal.jsonl", "split.json", "pictures.json"):
        (copy / name).write_bytes((whole / name).read_bytes())
    values = json.loads((copy / "pictures.json").read_text("utf-8"))
    (copy / "pictures.json").write_text(json.dumps({**values, "labelled_sha256": "0", "train": 25}), "utf-8")
    return copy


def test_before_its_first_result_there_is_nothing_to_lose(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*arguments: Any, **options: Any) -> trials.Outcome:
        raise KeyboardInterrupt

    output = tmp_path / "begun"
    with monkeypatch.context() as patch:
        patch.setattr(executors, "outcome_of", refusing)
        with pytest.raises(KeyboardInterrupt):
            population(data, output, count=1, threads=2)
    (output / "trials" / "00000").mkdir(parents=True, exist_ok=True)
    population(data, output, count=1, settings=["epochs=1"])
    assert json.loads((output / "population.json").read_text("utf-8"))["threads"] == 1
    assert epochs_of_trials(output) == {0: [1]}


def test_what_cannot_be_a_population(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a population trains from random ones"):
        run_population(DESIGNS, data, tmp_path / "a", "finetune")
    with pytest.raises(DataError, match=r"has no val/ to measure errors on"):
        population(data, tmp_path / "b", settings=["val_fraction=0"])
    with pytest.raises(InvalidDesignError, match="there is no design to train"):
        run_population([], data, tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "letter.txt").touch()
    with pytest.raises(JobError, match="is not empty and holds no population"):
        population(data, tmp_path / "d")


SAME = ("val_top1", "val_loss", "train_loss", "train_top1", "lr")
"""Columns that a trial and a run of the same recipe have alike."""


@pytest.mark.parametrize(
    "settings",
    [(), ("whitened_stem=true",), ("accumulate=2", "augmentation.repeats=2"), ("drop_path=0.2", "drop_rate=0.1")],
    ids=str,
)
def test_a_trial_is_a_run_of_its_recipe(settings: tuple[str, ...], data: Path, tmp_path: Path) -> None:
    """Also with what only some recipes ask for."""
    output = population(data, tmp_path / "population", count=1, settings=["epochs=2", "precision=f32", *settings])
    (record,) = records_of(output)
    text = "depth=2,w0=8,wa=16,wm=2,group_width=8,stem_stride=1"
    own = [*SETTINGS, "epochs=2", "precision=f32", *settings]
    train(data, tmp_path / "run", "population", design=text, settings=own, report=False, quiet=True)
    for row, wanted in zip(record["rows"], metrics_of(tmp_path / "run"), strict=True):
        # a run computes with as many threads as there are cores
        assert [row[name] for name in SAME] == pytest.approx([wanted[name] for name in SAME], rel=1e-4)


def test_a_trial_learns_from_a_teacher(data: Path, tmp_path: Path) -> None:
    text = "depth=2,w0=8,wa=16,wm=2,group_width=8,stem_stride=1"
    train(data, tmp_path / "teacher", "population", design=text, settings=[*SETTINGS, "epochs=1"], quiet=True)
    alone = population(data, tmp_path / "alone", count=1, settings=["epochs=1"])
    taught = population(data, tmp_path / "taught", count=1, settings=["epochs=1", f"teacher={tmp_path / 'teacher'}"])
    (one,), (other,) = records_of(alone), records_of(taught)
    assert one["rows"][0]["train_loss"] != other["rows"][0]["train_loss"]
    others = write_colours(tmp_path / "others", "red", "blue", count=12)
    with pytest.raises(RecipeError, match="its classes must be those of the data"):
        population(others, tmp_path / "refused", settings=[f"teacher={tmp_path / 'teacher'}"])
    assert not (tmp_path / "refused" / "journal.jsonl").exists()


def test_photographs_of_the_same_names_are_others(data: Path, tmp_path: Path) -> None:
    def of(place: Path) -> trials.TrialData:
        splits = read_data_set(place, quiet=True).training()
        seen = look_at_pictures(splits, tmp_path / "run", begun=False, skip_unreadable=False, quiet=True).seen
        return trials.TrialData.of(splits, tuple(splits.train), (), seen=seen)

    other = write_colours(tmp_path / "data", "red", "green", count=12, seed=1)
    assert of(data) == of(data)
    assert of(data).digest == of(other).digest
    assert of(data) != of(other)
    before = of(other)
    write_colours(tmp_path / "data", "red", "green", count=12, seed=2, width=41)  # in place
    assert of(other) != before


@pytest.mark.parametrize(("error", "again"), [(RecipeError("no such card"), True), (LossError("not finite"), False)])
def test_only_a_loss_that_is_not_finite_is_final(
    error: Exception, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(trials, "train_trial", failing)
    trial, data = SimpleNamespace(number=3, recipe=None), SimpleNamespace()
    outcome = trials.outcome_of(trial, data, until=1, folder=None, conditions=trials.Conditions())  # type: ignore[arg-type]
    assert (outcome.message, outcome.again) == (str(error), again)


def test_a_trial_that_gets_its_process_killed_comes_after_the_others(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    population(data, output, count=3, settings=["epochs=1"])
    records = records_of(output)
    (output / "journal.jsonl").write_text(json.dumps(records[0]) + "\n", "utf-8")
    begun = output / "trials" / "00001" / "begun"
    begun.parent.mkdir(parents=True)
    begun.touch()  # as a process leaves it that was killed
    population(data, output, count=3, settings=["epochs=1"], resume=True)
    assert [record["trial"] for record in records_of(output)] == [0, 2, 1]
    assert not begun.exists()


def test_results_without_their_plan_are_not_taken_for_others(data: Path, tmp_path: Path) -> None:
    output = population(data, tmp_path / "population", count=2, settings=["epochs=1"])
    (output / "population.json").unlink()
    before = (output / "journal.jsonl").read_bytes()
    for resume in (False, True):
        with pytest.raises(JobError, match=r"has results \(journal\.jsonl\) of a population"):
            population(data, output, count=2, settings=["epochs=2"], resume=resume)
    assert (output / "journal.jsonl").read_bytes() == before
