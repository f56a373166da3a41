"""A level above the class folders is refused; below a class every depth counts."""

from pathlib import Path

import pytest

from regnety.datasets.data_sets import read_data_set
from regnety.errors import DataError


def fill(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("2023/cat/1.jpg", "2024/cat/1.jpg", "2024/dog/1.jpg"), "{root}: its folders 2023, 2024 are a level above"),
        (
            ("2024/cat/1.jpg", "2024/dog/1.jpg"),
            "{root}: its folders 2024 are a level above those of the classes (cat, dog)",
        ),
        (("2024-05-01/cat/1.jpg", "2024-06-01/dog/1.jpg"), "{root}: its folders 2024-05-01, 2024-06-01 are"),
        (("train/May/cat/1.jpg", "train/June/dog/1.jpg"), "{root}/train: its folders June, May are"),
        (("batch_1/cat/1.jpg", "batch_2/dog/1.jpg"), "{root}: its folders batch_1, batch_2 are"),
        (
            ("cat/1.jpg", "dog/1.jpg", "more/cat/1.jpg", "more/dog/1.jpg"),
            "{root}: more holds folders that are named like",
        ),
        (
            ("photos/cat/1.jpg", "photos/dog/1.jpg"),
            "{root}: has one class to train on (photos), with the folders cat, dog",
        ),
    ],
)
def test_a_level_above_the_classes(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_data_set(fill(tmp_path, names)).training()
    assert str(error.value).startswith(message.format(root=tmp_path))


@pytest.mark.parametrize(
    "names",
    [
        ("cat/close/1.jpg", "cat/far/1.jpg", "dog/close/2.jpg", "dog/far/deeper/2.jpg"),
        ("0/person1/1.jpg", "1/person1/1.jpg", "9/person2/1.jpg"),
        ("1990/1.jpg", "1991/2.jpg", "1992/old/3.jpg"),
        ("2023/shoot1/1.jpg", "2024/shoot2/1.jpg"),
        ("octopus/1/1.jpg", "marmot/1/1.jpg"),
    ],
)
def test_classes_with_folders_inside(names: tuple[str, ...], tmp_path: Path) -> None:
    splits = read_data_set(fill(tmp_path, names)).training()
    assert splits.classes == tuple(sorted({name.partition("/")[0] for name in names}))
    assert len(splits.train) == len(names)
