"""`check_data`: each fault that a data set may have is found once, and a data set in order has none."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pictures import encoded, photograph
from regnety import DataError, check_data
from regnety.datasets.checking.data_check import DataCheck
from regnety.datasets.data_sets import read_data_set
from regnety.datasets.splitting import hold_out


def write(root: Path, *names: str, count: int = 6) -> Path:
    """Folders of JPEGs, no two of which are alike."""
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            photograph(96, 72, seed=100 * number + index).save(root / name / f"{index}.jpg", quality=90)
    return root


def found(check: DataCheck, root: Path) -> dict[str, list[list[str]]]:
    """Title to what was found, with names below the root."""
    return {
        finding.title: [[name.removeprefix(f"{root}/") for name in names] for names in finding.examples]
        for finding in check.findings
    }


def test_a_data_set_in_order(tmp_path: Path) -> None:
    check = check_data(write(tmp_path, "train/cat", "train/dog", "val/cat", "val/dog"), quiet=True)
    assert (check.findings, check.copies, check.count) == ((), (), 24)
    assert check.counts == {"train": {"cat": 6, "dog": 6}, "val": {"cat": 6, "dog": 6}}


def test_every_fault_of_a_photograph(tmp_path: Path) -> None:
    write(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "empty.jpg").touch()
    whole = (tmp_path / "cat" / "1.jpg").read_bytes()
    (tmp_path / "dog" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (96, 72), (200, 10, 10)).save(tmp_path / "dog" / "red.png")
    photograph(20, 15, seed=70).save(tmp_path / "cat" / "tiny.png")
    check = check_data(tmp_path, quiet=True)
    assert [(finding.title, finding.count) for finding in check.findings] == [
        ("unreadable", 2),
        ("blank", 1),
        ("tiny", 1),
    ]
    (empty,), (cut,) = check.findings[0].examples
    assert empty == f"{tmp_path}/cat/empty.jpg: is empty"
    assert cut.startswith(f"{tmp_path}/dog/cut.jpg: cannot be decoded: ")
    assert found(check, tmp_path)["blank"] == [["dog/red.png"]]
    assert found(check, tmp_path)["tiny"] == [["cat/tiny.png"]]


def test_a_data_set_of_small_pictures_is_in_order(tmp_path: Path) -> None:
    for number, label in enumerate(("cat", "dog")):
        (tmp_path / label).mkdir()
        for index in range(6):
            photograph(28, 28, seed=10 * number + index).save(tmp_path / label / f"{index}.png")
    assert check_data(tmp_path, quiet=True).findings == ()


def test_copies_by_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, "train/cat", "train/dog", "test/cat", "test/dog")
    train, test = tmp_path / "train", tmp_path / "test"
    shutil.copy(train / "cat" / "0.jpg", train / "cat" / "same.jpg")
    photograph(96, 72, seed=1).resize((60, 45)).save(train / "cat" / "smaller.png")  # of train/cat/1.jpg
    shutil.copy(train / "cat" / "2.jpg", train / "dog" / "a cat 'too'.jpg")
    shutil.copy(train / "dog" / "3.jpg", test / "dog" / "seen.jpg")
    shutil.copy(train / "dog" / "4.jpg", test / "cat" / "seen and wrong.jpg")
    check = check_data(tmp_path, quiet=True)
    assert found(check, tmp_path) == {
        "copies in two classes": [
            ["train/cat/2.jpg", "train/dog/a cat 'too'.jpg"],
            ["train/dog/4.jpg", "test/cat/seen and wrong.jpg"],
        ],
        "copies in two splits": [
            ["train/dog/3.jpg", "test/dog/seen.jpg"],
            ["train/dog/4.jpg", "test/cat/seen and wrong.jpg"],
        ],
        "exact copies": [["train/cat/0.jpg", "train/cat/same.jpg"]],
        "near copies": [["train/cat/1.jpg", "train/cat/smaller.png"]],
    }
    assert len(check.copies) == 5


def test_copies_stay_on_one_side_of_a_split(tmp_path: Path) -> None:
    write(tmp_path, "cat", "dog")
    for index in range(4):
        photograph(96, 72, seed=index).save(tmp_path / "cat" / f"{index}.webp", quality=90)
    data = read_data_set(tmp_path)
    check, samples = check_data(data, quiet=True), data.training().train
    groups = check.groups_of(samples)
    assert sorted(group for group in groups if group is not None) == [0, 0, 1, 1, 2, 2, 3, 3]
    for seed in range(8):
        kept, held = hold_out(samples, 0.3, seed=seed, groups=groups)
        assert not (set(check.groups_of(kept)) & set(check.groups_of(held))) - {None}


def test_classes(tmp_path: Path) -> None:
    write(tmp_path, "train/cat", count=40)
    write(tmp_path, "train/dog", count=4)
    write(tmp_path, "val/bird", count=1)
    shutil.rmtree(tmp_path / "train" / "dog")  # its photographs are the cats' first ones
    (tmp_path / "train" / "dog").mkdir()
    photograph(96, 72, seed=900).save(tmp_path / "train" / "dog" / "it.png")
    photograph(96, 72, seed=901).save(tmp_path / "val" / "bird" / "0.jpg")
    check = check_data(tmp_path, quiet=True)
    assert found(check, tmp_path) == {
        "classes without training": [["bird"]],
        "small classes": [["dog"]],
        "uneven classes": [["dog"]],
    }


def test_one_class_is_found_and_no_class_is_an_error(tmp_path: Path) -> None:
    assert found(check_data(write(tmp_path / "one", "cat"), quiet=True), tmp_path) == {"one class": [["cat"]]}
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: has no class folders"):
        check_data(tmp_path / "none", quiet=True)


def test_blank_photographs_are_no_copies_of_each_other(tmp_path: Path) -> None:
    write(tmp_path, "cat", "dog")
    for level in (10, 120, 240):
        Image.new("RGB", (96, 72), (level,) * 3).save(tmp_path / "cat" / f"blank {level}.png")
    check = check_data(tmp_path, quiet=True)
    assert [(finding.title, finding.count) for finding in check.findings] == [("blank", 3)]


def test_as_dict_is_json(tmp_path: Path) -> None:
    write(tmp_path, "ünï", "b")
    (tmp_path / "b" / "bad.jpg").write_bytes(encoded(photograph(96, 72))[:200])
    values = json.loads(json.dumps(check_data(tmp_path, quiet=True).as_dict()))
    assert [*values] == ["data", "count", "counts", "findings", "notices"]
    assert values["counts"] == {".": {"b": 7, "ünï": 6}}
    assert [*values["findings"][0]] == ["title", "text", "count", "examples"]
