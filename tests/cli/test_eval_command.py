"""`regnety eval`, as a process."""

import json
import shutil
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, regnety
from pictures import write_colours
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.folders import read_class_folders
from regnety.inference.evaluation import evaluate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    small_bundle().save(folder / "bundle")
    write_colours(folder / "data" / "val", count=3)
    write_colours(folder / "data" / "test", count=5, seed=1)
    return folder


def test_json(folder: Path) -> None:
    result = regnety("eval", "--data", folder / "data", "--model", folder / "bundle", "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    expected = evaluate(small_bundle(), read_class_folders(folder / "data" / "test"), quiet=True).as_dict()
    found = json.loads(result.stdout)
    assert list(found) == ["model", "count", "top1", "top5", "loss", "trained_on", "left_out", "published", "per_class"]
    assert found == {**expected, "model": str(folder / "bundle"), "loss": pytest.approx(expected["loss"])}
    assert found["count"] == 15


def test_it_is_shown_what_options_say(folder: Path) -> None:
    options = ("--mean", "0.1,0.2,0.3", "--std", "0.9", "--interpolation", "nearest", "--crop-pct", "1")
    arguments = ("eval", "--data", folder / "data", "--model", folder / "bundle", "--format", "json")
    result = regnety(*arguments, *options)
    samples = read_class_folders(folder / "data" / "test")
    shown = {"mean": (0.1, 0.2, 0.3), "std": 0.9, "interpolation": "nearest", "crop_pct": 1.0}
    expected = evaluate(small_bundle(), samples, quiet=True, **shown)  # type: ignore[arg-type]
    assert expected.loss != pytest.approx(evaluate(small_bundle(), samples, quiet=True).loss)
    assert json.loads(result.stdout)["loss"] == pytest.approx(expected.loss)


def test_another_split(folder: Path) -> None:
    arguments = ("eval", "--data", folder / "data", "--model", folder / "bundle", "--format", "json", "--split")
    assert json.loads(regnety(*arguments, "val").stdout)["count"] == 9
    assert one_line(regnety(*arguments, "dev")).startswith(f"{folder}/data: has no split 'dev'; it has")


def test_the_table_is_for_people(folder: Path) -> None:
    result = regnety("eval", "--data", folder / "data", "--model", folder / "bundle")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["class", "images", "top1"]
    assert [row[:2] for row in rows[1:4]] == [["blue", "5"], ["green", "5"], ["red", "5"]]
    assert result.stdout.splitlines()[-1].startswith(f"{folder}/bundle: top1 ")
    assert result.stdout.endswith(" on 15 images\n")


def test_unreadable_pictures_are_status_1(folder: Path, tmp_path: Path) -> None:
    data = shutil.copytree(folder / "data" / "test", tmp_path / "data")
    (data / "red" / "bad.png").touch()
    result = regnety("eval", "--data", data, "--model", folder / "bundle", "--format", "json")
    assert (result.returncode, result.stderr) == (1, f"regnety: {data}/red/bad.png: is empty\n")
    assert json.loads(result.stdout)["count"] == 15


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere", "{folder}/nowhere: there is no such file or folder"),
        ("bundle/config.json", "{folder}/bundle/config.json: is no data set; "),
        ("bundle", "{folder}/bundle: has no class folders; expected one sub-folder per class"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(data: str, message: str, folder: Path) -> None:
    result = regnety("eval", "--data", folder / data, "--model", folder / "bundle")
    assert one_line(result).startswith(message.format(folder=folder))


def test_a_class_that_the_model_does_not_know_is_one_line(folder: Path) -> None:
    result = regnety("eval", "--data", folder / "data", "--model", "regnety_cifar10")
    assert one_line(result) == f"{folder}/data/test/blue: regnety_cifar10 has no class named 'blue'"


def test_names_have_no_power_over_the_terminal(folder: Path, tmp_path: Path) -> None:
    """A photograph and a class whose names hold escapes: a title, colours, a byte that is an escape of its own."""
    name = "\x1b]0;title\x07 \x1b[31mred\x9b0m"
    small_bundle((name, "b\u202elue")).save(tmp_path / "bundle")
    write_colours(tmp_path / "data", "blue", "red", count=2)
    (tmp_path / "data" / "red").rename(tmp_path / "data" / name)
    (tmp_path / "data" / "blue").rename(tmp_path / "data" / "b\u202elue")
    (tmp_path / "data" / name / "z\x1b[2J\n.png").touch()
    result = regnety("eval", "--data", tmp_path / "data", "--model", tmp_path / "bundle")
    assert result.returncode == 1
    assert result.stderr.startswith(f"regnety: {tmp_path}/data/\\x1b]0;title\\x07 \\x1b[31mred\\x9b0m/z\\x1b[2J ")
    assert result.stderr.count("\n") == 1
    assert result.stdout.splitlines()[1].startswith("\\x1b]0;title\\x07 \\x1b[31mred\\x9b0m")
    assert not set(result.stdout + result.stderr) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_a_wrong_command_line_has_no_power_over_the_terminal_either() -> None:
    for arguments in (("eval", "--data", ".", "--\x1b[31m"), ("\x1b[31m",), ("predict", "a.jpg", "--top-k", "\x1b]0;")):
        result = regnety(*arguments)
        assert result.returncode == 2
        assert "\x1b" not in one_line(result)


def test_without_split_what_was_trained_on_is_left_out_and_with_it_counted(folder: Path, tmp_path: Path) -> None:
    bundle = small_bundle()
    data = shutil.copytree(folder / "data" / "test", tmp_path / "data" / "test")
    bundle.training_files = TrainingFiles.of(sorted((data / "red").iterdir())[:2], quiet=True)
    bundle.save(tmp_path / "bundle")
    arguments = ("eval", "--data", tmp_path / "data", "--model", tmp_path / "bundle", "--format", "json")
    result = regnety(*arguments)
    assert result.returncode == 0
    assert result.stderr == (
        f"regnety: {tmp_path}/bundle was trained on 2 of the 15 photographs; only the other 13 are scored\n"
    )
    found = json.loads(result.stdout)
    assert (found["count"], found["trained_on"], found["left_out"], found["per_class"]["red"]["count"]) == (13, 0, 2, 3)
    named = regnety(*arguments, "--split", "test")
    assert named.stderr == (
        f"regnety: {tmp_path}/bundle was trained on 2 of the 15 photographs that are scored; "
        "expect less of it on new ones\n"
    )
    found = json.loads(named.stdout)
    assert (found["count"], found["trained_on"], found["left_out"]) == (15, 2, 0)
    alone = regnety("eval", "--data", data, *arguments[3:], "--split", ".", "--quiet")
    assert (alone.stdout, alone.stderr) == (named.stdout, "")
