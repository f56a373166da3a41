"""ImageNet's validation set in each usual form. The images stay empty, as none of them is opened."""

from pathlib import Path

import pytest

from regnety.datasets.data_sets import read_data_set
from regnety.errors import DataError

WNIDS = ("n01751748", "n09193705", "n02105855")
NAMES = tuple(f"ILSVRC2012_val_{number:08d}" for number in (1, 2, 3))
KAGGLE = "ImageId,PredictionString\n" + "".join(
    f"{name},{wnid} 111 108 441 193 n00000000 1 2 3 4 \n" for name, wnid in zip(NAMES, WNIDS, strict=True)
)


@pytest.fixture
def val(tmp_path: Path) -> Path:
    (tmp_path / "imagenet" / "val").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "imagenet" / "val" / f"{name}.JPEG").touch()
    return tmp_path / "imagenet" / "val"


def labels(folder: Path, text: str | None) -> list[str]:
    listed = None
    if text is not None:
        listed = folder.parent / "list.txt"
        listed.write_text(text)
    samples = read_data_set(folder, labels_file=listed).evaluation()
    assert [sample.name[-len("ILSVRC2012_val_00000001.JPEG") : -5] for sample in samples] == list(NAMES)
    return [sample.label for sample in samples]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("".join(f"{name}.JPEG {number}\n" for name, number in zip(NAMES, (65, 970, 230), strict=True)), "65 970 230"),
        (
            "".join(f"val/{name}.JPEG,{number}\r\n" for name, number in zip(NAMES, (65, 0, 999), strict=True)),
            "65 0 999",
        ),
        ("".join(f"{name}\t{wnid}\n" for name, wnid in zip(NAMES, WNIDS, strict=True)), " ".join(WNIDS)),
        (
            "".join(f"{name}.JPEG\t{wnid}\t0\t32\t44\t62\n" for name, wnid in zip(NAMES, WNIDS, strict=True)),
            " ".join(WNIDS),
        ),
        ("\n".join([*WNIDS, "n01440764", "n01443537"]), " ".join(WNIDS)),
        (KAGGLE, " ".join(WNIDS)),
        ("file,class\n" + "".join(f"{name}.JPEG,{n}\n" for n, name in enumerate(NAMES)), "0 1 2"),
    ],
)
def test_lists_of_classes(text: str, expected: str, val: Path) -> None:
    assert labels(val, text) == expected.split()
    assert labels(val.parent, text) == expected.split()


def test_kaggles_list_is_found_beside_the_images(val: Path) -> None:
    """Its folder has test pictures without classes too."""
    (val.parent / "test").mkdir()
    (val.parent / "test" / "ILSVRC2012_test_00000001.JPEG").touch()
    (val.parent.parent / "LOC_val_solution.csv").write_text(KAGGLE)
    assert labels(val.parent, None) == [*WNIDS]
    (val.parent / "LOC_val_solution.csv").write_text(KAGGLE)
    assert labels(val, None) == [*WNIDS]


def test_wnid_folders_and_train_beside_a_flat_val(val: Path) -> None:
    for wnid in WNIDS:
        (val.parent / "train" / wnid).mkdir(parents=True)
        (val.parent / "train" / wnid / "1.JPEG").touch()
    (val.parent / "LOC_val_solution.csv").write_text(KAGGLE)
    splits = read_data_set(val.parent).training()
    assert splits.classes == tuple(sorted(WNIDS))
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [3, 3, 0]


def test_a_name_with_spaces_and_what_is_listed_in_vain(val: Path) -> None:
    (val / "my photo.JPEG").touch()
    lines = "".join(f"{name}.JPEG sea snake\n" for name in (*NAMES, "my photo", "gone"))
    (val.parent / "list.txt").write_text(lines)
    data = read_data_set(val, labels_file=val.parent / "list.txt")
    assert {sample.label for sample in data.evaluation()} == {"sea snake"}
    assert data.notices == [f"{val.parent}/list.txt: lists 1 image more than there are in {val}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("490\n361\n171\n", "{list}: has numbers that may be ILSVRC's own, 1 to 1000 in another order"),
        (
            "".join(f"{name}.JPEG {n}\n" for name, n in zip(NAMES, (490, 1000, 171), strict=True)),
            "{list}: has numbers that",
        ),
        ("ILSVRC2012_val_00000001.JPEG 3\n", "{val}/ILSVRC2012_val_00000002.JPEG: is not in the list {list}"),
        (
            f"{NAMES[0]}.JPEG 3\n{NAMES[0]}.JPEG 4\n",
            "{list}: line 2: ILSVRC2012_val_00000001.JPEG has two classes, '3'",
        ),
        ("n01751748\n", "{list}: has 1 line for 3 images of {val}; it must have one for each, or name them"),
        ("", "{list}: is empty"),
    ],
)
def test_lists_that_are_refused(text: str, message: str, val: Path) -> None:
    with pytest.raises(DataError) as error:
        labels(val, text)
    assert str(error.value).startswith(message.format(list=val.parent / "list.txt", val=val))


def test_a_flat_folder_says_what_it_lacks(val: Path) -> None:
    with pytest.raises(DataError, match=r"or the list of their classes: --labels-file \(labels_file=\)$"):
        labels(val, None)
    with pytest.raises(DataError, match=r"list\.txt: there is no such file$"):
        read_data_set(val, labels_file=val / "list.txt")
    with pytest.raises(DataError, match="is no folder of images on this disk"):
        read_data_set(val / f"{NAMES[0]}.JPEG", labels_file=val / "list.txt")


def test_a_flat_folder_with_kaggles_list_may_be_trained_on(val: Path) -> None:
    (val / "LOC_val_solution.csv").write_text(KAGGLE)
    assert read_data_set(val).training().classes == tuple(sorted(WNIDS))
