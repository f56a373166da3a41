"""`--state-dict`: in every command that reads a checkpoint."""

import csv
import json
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, regnety
from pictures import noise
from regnety import Bundle
from regnety.export.conversion import convert_model
from wild.network import CLASSES, network, saved, state


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two networks of one design, one of two designs, and a picture."""
    place = tmp_path_factory.mktemp("two")
    two = {f"teacher.{key}": value for key, value in state().items()}
    two |= {f"student.{key}": value for key, value in state(seed=1).items()}
    saved({"state_dict": two | {"criterion.weight": state()["head.fc.bias"]}}, place / "two.ckpt")
    saved({"large": state(), "small": network(7).state_dict()}, place / "designs.pth")
    saved(state(), place / "alone.pth")
    (place / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    (place / "pictures" / CLASSES[0]).mkdir(parents=True)
    for number in range(3):
        noise(40, 30, seed=number).save(place / "pictures" / CLASSES[0] / f"{number}.png")
    return place


def answers(folder: Path, *arguments: object) -> list[dict[str, str]]:
    result = regnety("predict", folder / "pictures", "-r", "--format", "csv", "--top-k", "1", *arguments)
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(result.stdout.splitlines()))


def test_each_answers_for_itself(folder: Path, tmp_path: Path) -> None:
    """The graphs in the cache are told apart by more than their file."""
    for name, seed in (("teacher", 0), ("student", 1), ("state_dict.teacher", 0)):
        alone = saved(state(seed=seed), tmp_path / f"{seed}.pth")
        assert answers(folder, "--model", folder / "two.ckpt", "--state-dict", name) == answers(
            folder, "--model", alone
        )
    by_default = answers(folder, "--model", folder / "two.ckpt")
    assert by_default == answers(folder, "--model", folder / "two.ckpt", "--state-dict", "teacher")
    assert by_default != answers(folder, "--model", folder / "two.ckpt", "--state-dict", "student")


def test_the_notice_says_what_was_left(folder: Path) -> None:
    result = regnety("predict", folder / "pictures", "-r", "--model", folder / "two.ckpt")
    assert (
        f"regnety: {folder}/two.ckpt fits depth=5,w0=8,wa=10.9,wm=2,group_width=8 with 10 classes by its shapes; state "
        "dict state_dict.teacher is read, not state_dict.student; criterion.weight is passed over; "
        "ImageNet's preprocessing, and strides of 2, are assumed\n"
    ) in result.stderr


def test_inspect_lists_them(folder: Path) -> None:
    lines = regnety("inspect", folder / "two.ckpt").stdout.splitlines()
    assert "weights      under state_dict; there is state_dict.student too" in lines
    assert "names        timm, behind teacher." in lines
    assert "passed over  criterion.weight" in lines
    named = json.loads(regnety("inspect", folder / "two.ckpt", "--state-dict", "student", "--format", "json").stdout)
    assert (named["prefix"], named["other_parts"]) == ("student.", ["state_dict.teacher"])


def test_one_must_be_named_where_nothing_tells_them_apart(folder: Path) -> None:
    place = folder / "designs.pth"
    problem = (
        f"{place}: holds 2 RegNets, and nothing says which is meant; choose one with --state-dict NAME (in "
        "Python Bundle.load, state_dict=): large, small"
    )
    assert one_line(regnety("predict", folder / "pictures", "-r", "--model", place)) == problem
    inspected = regnety("inspect", place)
    assert (inspected.returncode, problem.partition(": ")[2] in inspected.stdout) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval", "--data", "{pictures}", "--model", "{file}", "--labels", "{labels}"),
        ("embed", "{pictures}", "-r", "--model", "{file}", "-o", "{out}/e.parquet"),
        ("export", "{file}", "-o", "{out}/x.onnx"),
        ("convert", "{file}", "{out}/x.pth", "--to", "timm"),
        ("describe", "{file}"),
        ("card", "{file}"),
        ("inspect", "{file}"),
        ("bench", "{file}", "--engines", "onnxruntime"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_in_every_command(arguments: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    places = {"pictures": folder / "pictures", "labels": folder / "labels.txt", "out": tmp_path}
    given = [argument.format(file=folder / "designs.pth", **places) for argument in arguments]
    assert regnety(*given).returncode in (1, 2)
    result = regnety(*given, "--state-dict", "large")
    assert result.returncode == 0, result.stderr


def test_the_file_that_is_written_is_of_the_one_that_was_named(folder: Path, tmp_path: Path) -> None:
    arguments = (folder / "designs.pth", tmp_path / "small", "--to", "regnety", "--state-dict", "small")
    assert regnety("convert", *arguments).returncode == 0
    assert Bundle.load(tmp_path / "small").metadata.num_classes == 7


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("regnety_002", "regnety_002: is not a checkpoint with several state dicts; omit --state-dict"),
        ("{folder}/alone.pth", "{folder}/alone.pth: is one state dict, which has no name; omit --state-dict"),
        ("{folder}/two.ckpt", "{folder}/two.ckpt: holds no RegNet named x; it has state_dict.teacher, state_dict.stud"),
        ("{folder}/own", "{folder}/own: is not a checkpoint with several state dicts; omit --state-dict"),
        (
            "{folder}/own.onnx",
            "{folder}/own.onnx: is not a checkpoint with several state dicts; omit --state-dict",
        ),
    ],
)
def test_a_name_that_means_nothing_is_one_line(model: str, message: str, folder: Path) -> None:
    if not (folder / "own").exists():
        small_bundle().save(folder / "own")
        convert_model(small_bundle(), folder / "own.onnx", to="onnx")
    picture = folder / "pictures" / CLASSES[0] / "0.png"
    result = regnety("predict", picture, "--state-dict", "x", "--model", model.format(folder=folder))
    assert one_line(result).startswith(message.format(folder=folder))
