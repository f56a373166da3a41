"""A run of the classifier alone: what it leaves, that it needs no torch, and how it meets what is there already."""

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from commands import one_line, python, regnety
from pictures import write_colours
from regnety import Bundle, DataError, FinetuneResult, Predictor, RecipeError, evaluate, finetune
from regnety.datasets.unreadable import UnreadablePicturesError
from regnety.finetuning.result import RESULT_FILE

RUN_MAIN = """
import sys
from regnety.cli.main import run
status = run()
print(status, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three colours in train/, val/ and test/; one picture of test/ lies in the wrong class."""
    root = tmp_path_factory.mktemp("colours")
    for seed, (split, count) in enumerate((("train", 8), ("val", 3), ("test", 3))):
        write_colours(root / split, count=count, seed=seed)
    write_colours(root / "other", "red", count=1, seed=9)
    shutil.move(root / "other" / "red" / "000.png", root / "test" / "blue" / "is red.png")
    shutil.rmtree(root / "other")
    return root


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    return finetune(data, tmp_path_factory.mktemp("runs") / "run", quiet=True)


def run_of(done: FinetuneResult, folder: Path) -> Path:
    """A copy of the finished run."""
    return shutil.copytree(done.bundle.parent, folder / "run")


def bundle_bytes(run: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (run / "bundle").iterdir()}


def test_a_run_leaves_a_model_its_mistakes_and_a_report(data: Path, done: FinetuneResult) -> None:
    assert (done.val_top1, done.test_top1) == (100.0, pytest.approx(90.0))
    assert (done.num_mistakes, done.epochs, done.all_layers) == (1, None, False)
    with done.mistakes.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == ["filename", "true_label", "label", "prob", "correct", "error"]
    wrong = data / "test" / "blue" / "is red.png"
    assert (row["filename"], row["true_label"], row["label"], row["correct"]) == (str(wrong), "blue", "red", "False")
    assert done.report is not None
    assert "is red.png" in done.report.read_text("utf-8")
    (answer,) = Predictor(done.bundle.parent).predict(wrong, top_k=1)
    assert answer.predictions[0].label == "red"
    assert answer.predictions[0].prob == pytest.approx(float(row["prob"]), abs=0.02)


def test_the_bundle_is_as_good_as_the_run_says(data: Path, done: FinetuneResult) -> None:
    bundle = Bundle.load(done.bundle)
    assert bundle.labels == ("blue", "green", "red")
    assert bundle.preprocessing.image_size == done.image_size == 64
    assert evaluate(bundle, data).top1 == done.test_top1
    assert bundle.training_files is not None
    assert len(bundle.training_files) == 24
    facts = bundle.provenance
    assert (facts["val_top1"], facts["test_top1"], facts["base"]) == (100.0, 90.0, "regnety_tiny")
    assert facts["temperature"] > 0


def test_without_val_folds_say_how_good_it_is(data: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(data / "train", tmp_path / "data")
    shutil.move(mixed / "red" / "000.png", mixed / "blue" / "red.png")
    result = finetune(mixed, tmp_path / "run", report=False, quiet=True)
    assert result.val_top1 == pytest.approx(100 * 23 / 24)
    assert (result.test_top1, result.report, result.num_mistakes) == (None, None, 1)
    assert "red.png" in result.mistakes.read_text("utf-8")
    folds = json.loads((tmp_path / "run" / "folds.json").read_text("utf-8"))["folds"]
    assert sorted(map(len, folds)) == [4, 5, 5, 5, 5]
    assert len({name for fold in folds for name in fold}) == 24


def test_photographs_of_one_group_are_refused_before_the_fit(data: Path, tmp_path: Path) -> None:
    rows = [(path, path.parent.name) for path in sorted((data / "train").rglob("*.png"))]
    table = tmp_path / "labels.csv"
    table.write_text("path,label,group\n" + "".join(f"{path},{label},one\n" for path, label in rows), "utf-8")
    with pytest.raises(DataError, match="of one group, so none can be held out to say how good a classifier is"):
        finetune(table, tmp_path / "run", report=False, quiet=True)


def test_photographs_that_no_fold_can_judge_are_not_counted_as_wrong(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All blue ones are of one group: the others say nothing of blue."""
    rows = [(path, path.parent.name) for path in sorted((data / "train").rglob("*.png"))]
    table = tmp_path / "labels.csv"
    lines = [f"{path},{label},{'session' if label == 'blue' else path.stem + label}" for path, label in rows]
    table.write_text("path,label,group\n" + "\n".join(lines) + "\n", "utf-8")
    result = finetune(table, tmp_path / "run")
    assert (result.val_top1, result.num_mistakes) == (100, 0)
    said = "nothing says how good it is on 8 photographs of 1 class, as there are no others of the class than copies"
    assert said in capfd.readouterr().err
    assert result.report is not None
    assert said[1:] in result.report.read_text("utf-8")


def test_a_finished_run_stays_finished_where_all_layers_are_refused(
    data: Path, done: FinetuneResult, tmp_path: Path
) -> None:
    run = run_of(done, tmp_path)
    changed = shutil.copytree(data, tmp_path / "data")
    (changed / "train" / "red" / "000.png").unlink()
    before = (run / RESULT_FILE).read_bytes()
    with pytest.raises(DataError, match="has other pictures than when the run"):
        finetune(changed, run, all_layers=True, epochs=1, resume=True, quiet=True)
    assert (run / RESULT_FILE).read_bytes() == before
    assert finetune(data, run, resume=True, quiet=True).val_top1 == done.val_top1


def test_validation_photographs_in_a_place_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photographs, held = (write_colours(tmp_path / name, count=4) for name in ("photographs", "held"))
    finetune(photographs, tmp_path / "run", val_data=held)
    said = capfd.readouterr().err
    assert "12 photographs of 3 classes to train on, 12 in val/" in said
    assert "% right of 12 photographs of val/" in said
    with (tmp_path / "run" / "mistakes.csv").open() as file:
        assert {row["split"] for row in csv.DictReader(file)} <= {"val"}


def test_the_command_never_imports_torch(data: Path, tmp_path: Path) -> None:
    result = python(RUN_MAIN, "finetune", data, "-o", tmp_path / "run", "--format", "json")
    *lines, last = result.stderr.splitlines()
    assert last == "0 False", result.stderr
    assert f"regnety: {data}: 24 photographs of 3 classes to train on, 9 in val/, 10 in test/" in lines
    assert lines[-1] == f"regnety: report: {tmp_path}/run/report.html"
    found = json.loads(result.stdout)
    assert (found["test_top1"], found["bundle"]) == (90.0, str(tmp_path / "run" / "bundle"))
    again = regnety("finetune", data, "-o", tmp_path / "run", "--resume", "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith(f"{tmp_path}/run/bundle: val top1 100.00 %, test top1 90.00 %, ")


def test_a_killed_run_ends_with_the_same_bytes(data: Path, done: FinetuneResult, tmp_path: Path) -> None:
    run = run_of(done, tmp_path)
    (run / RESULT_FILE).unlink()
    (run / ".bundle.abcd.part").mkdir()
    with pytest.raises(RecipeError, match=r"holds a run; continue it with --resume"):
        finetune(data, run, quiet=True)
    before = bundle_bytes(run)
    resumed = finetune(data, run, resume=True, quiet=True)
    assert bundle_bytes(run) == before
    assert (resumed.val_top1, resumed.test_top1) == (done.val_top1, done.test_top1)
    assert not (run / ".bundle.abcd.part").exists()


def test_a_run_starts_from_another_one(data: Path, done: FinetuneResult, tmp_path: Path) -> None:
    result = finetune(data, tmp_path / "again", model=done.bundle.parent, report=False, quiet=True)
    bundle = Bundle.load(result.bundle)
    # By the run's name: its model is always in a folder called bundle.
    assert bundle.provenance["base"] == done.bundle.parent.name
    assert bundle.provenance["license"] == "apache-2.0"
    assert bundle.provenance["data_terms"].startswith("ImageNet's")


def test_a_finished_run_is_not_made_again(
    data: Path, done: FinetuneResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(done, tmp_path)
    result = finetune(data, run, resume=True)
    assert capsys.readouterr().err == f"regnety: {run}: has already finished; nothing to do\n"
    assert result.as_dict() == {
        **done.as_dict(),
        "bundle": str(run / "bundle"),
        "mistakes": str(run / "mistakes.csv"),
        "report": str(run / "report.html"),
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": 1}, "the run has seed=0, resuming cannot change it to 1"),
        ({"class_weights": "balanced"}, "the run has class_weights=None, resuming cannot change it to balanced"),
        ({"image_size": 48}, "the run has shown={}, resuming cannot change it to {'image_size': 48}"),
    ],
)
def test_what_was_asked_for_cannot_change(
    data: Path, done: FinetuneResult, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    run = run_of(done, tmp_path)
    with pytest.raises(RecipeError) as error:
        finetune(data, run, resume=True, quiet=True, **changes)
    assert str(error.value) == f"{run}: {line}"


def test_other_pictures_are_refused(data: Path, done: FinetuneResult, tmp_path: Path) -> None:
    run = run_of(done, tmp_path)
    (run / RESULT_FILE).unlink()
    changed = shutil.copytree(data, tmp_path / "data")
    (changed / "train" / "red" / "000.png").unlink()
    with pytest.raises(DataError, match=r"has other pictures than when the run in .* began \(42 now, 43 then\)"):
        finetune(changed, run, resume=True, quiet=True)


def test_an_output_that_holds_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = regnety("finetune", data, "-o", tmp_path)
    assert result.stderr.splitlines()[-1] == (
        f"regnety: {tmp_path}: is not empty and holds no run of finetune; name another output"
    )
    assert result.returncode == 2
    inside = data / "train" / "run"
    assert one_line(regnety("finetune", data / "train", "-q", "-o", inside)) == (
        f"{inside}: is within the data, {data}/train, where it would be read as a class; name another output"
    )
    assert not inside.exists()


def test_unreadable_pictures_stop_it_or_are_left_out(data: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(data, tmp_path / "data")
    for name in ("train/red/000.png", "test/green/001.png"):
        (broken / name).write_bytes(b"no picture")
    with pytest.raises(UnreadablePicturesError) as error:
        finetune(broken, tmp_path / "run", quiet=True)
    assert str(error.value).startswith("2 of 43 pictures cannot be read; repair or remove them, or go on without them")
    assert len(error.value.errors) == 2
    # Nothing is lost, so nothing has to be resumed.
    result = finetune(broken, tmp_path / "run", skip_unreadable=True, report=False, quiet=True)
    assert result.test_top1 == pytest.approx(100 * 8 / 9)
    assert Bundle.load(result.bundle).provenance["left_out"] == "2 pictures that cannot be read"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--time-limit", "10m"],
            "epochs, patience and a time limit are for all layers: --all-layers (all_layers=True)",
        ),
        (
            ["--all-layers", "--time-limit", "10m", "--epochs", "3"],
            "epochs and a time limit contradict each other; give one of them",
        ),
        (["--time-limit", "ten"], "'ten' is no duration; write 90s, 10m or 2h"),
        (["--time-limit", "0s"], "'0s' must be more than nothing, and a year at most"),
    ],
)
def test_options_that_cannot_be_followed(arguments: list[str], line: str, tmp_path: Path) -> None:
    result = regnety("finetune", "photos", "-o", tmp_path / "run", "-q", *arguments)
    assert line in one_line(result)
