"""Validation pictures in a place of their own, beside any form of a data set."""

from pathlib import Path

import pytest

from regnety.datasets.data_sets import read_data_set
from regnety.errors import DataError
from stored_data_sets import shard


def class_folders(root: Path, *images: str) -> Path:
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    return root


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "train", "cat/1.jpg", "dog/1.jpg")


def test_class_folders_beside_others(train: Path, tmp_path: Path) -> None:
    val = class_folders(tmp_path / "held", "cat/1.jpg", "dog/9.jpg")
    data = read_data_set(train, val_data=val)
    splits = data.training()
    assert ([*data.splits], len(splits.train), len(splits.val)) == ([".", "val"], 2, 2)
    assert "val" in data.splits
    assert len(data.splits) == 2
    # the pictures of one name are told apart, wherever the folders are moved to
    assert [splits.name_of(sample) for sample in (*splits.train, *splits.val)] == [
        *("cat/1.jpg", "dog/1.jpg"),
        *("val-data/cat/1.jpg", "val-data/dog/9.jpg"),
    ]


def test_of_a_place_that_has_more_the_split_val_is_taken(train: Path, tmp_path: Path) -> None:
    val = class_folders(tmp_path / "held", "train/cat/7.jpg", "train/dog/7.jpg", "val/dog/9.jpg")
    splits = read_data_set(train, val_data=val).training()
    assert [splits.name_of(sample) for sample in splits.val] == ["val-data/val/dog/9.jpg"]


def test_shards_by_patterns_in_one_folder(tmp_path: Path) -> None:
    for name, labels in (("train-000", "ab"), ("train-001", "ba"), ("val-000", "a"), ("val-001", "b")):
        shard(tmp_path / f"{name}.tar", labels)
    data = read_data_set(f"{tmp_path}/train-{{000..001}}.tar", val_data=f"{tmp_path}/val-*.tar")
    splits = data.training()
    assert [splits.name_of(sample) for sample in (*splits.train, *splits.val)] == [
        *("train-000.tar/0000.png", "train-000.tar/0001.png", "train-001.tar/0000.png", "train-001.tar/0001.png"),
        *("val-000.tar/0000.png", "val-001.tar/0000.png"),
    ]


@pytest.mark.parametrize("inner", ["train", "held"])
def test_one_place_within_the_other(inner: str, tmp_path: Path) -> None:
    outer = class_folders(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "held/cat/1.jpg", "held/dog/2.jpg")
    data, val = (outer / "train", outer / "held") if inner == "train" else (outer, outer / "held")
    splits = read_data_set(data, val_data=val).training()
    begin = "" if inner == "train" else "train/"
    assert [splits.name_of(sample) for sample in (*splits.train, *splits.val)] == [
        *(f"{begin}cat/1.jpg", f"{begin}dog/1.jpg"),
        *("val-data/cat/1.jpg", "val-data/dog/2.jpg"),
    ]


def test_what_cannot_be_is_refused(train: Path, tmp_path: Path) -> None:
    other = class_folders(tmp_path / "other", "bird/1.jpg", "cat/1.jpg")
    both = class_folders(tmp_path / "both", "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg")
    neither = class_folders(tmp_path / "neither", "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg")
    for data, val, message in (
        (train, other, f"{other}: has the class 'bird', which train does not have: cat, dog"),
        (both, train, f"{both}: has validation pictures of its own, so {train} cannot be them too"),
        (train, neither, f"{neither}: has train, test but no val/; name one of them"),
        (train, tmp_path / "none", f"{tmp_path / 'none'}: there is no such file or folder"),
        (train, "", "the name of the data set is empty"),
    ):
        with pytest.raises(DataError) as error:
            read_data_set(data, val_data=val).training()
        assert str(error.value) == message
