"""Image folders: splits and classes. The files stay empty, as none of them is opened."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regnety.datasets.data_sets import read_data_set
from regnety.datasets.folders import read_class_folders
from regnety.datasets.samples import Sample
from regnety.errors import DataError


def fill(root: Path, *names: str) -> Path:
    """Empty files, with the folders they need; a name that ends in / is a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).mkdir() if name.endswith("/") else (root / name).touch()
    return root


def names(samples: tuple[Sample, ...], root: Path) -> list[str]:
    return [f"{sample.label}: {sample.image.relative_to(root).as_posix()}" for sample in samples]


SPLITS = ("train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "val/cat/3.jpg", "test/dog/4.jpg")


def test_splits(tmp_path: Path) -> None:
    data = read_data_set(fill(tmp_path, *SPLITS)).training()
    assert data.root == tmp_path
    assert data.classes == ("cat", "dog")
    assert names(data.train, tmp_path) == ["cat: train/cat/1.jpg", "cat: train/cat/2.jpg", "dog: train/dog/1.jpg"]
    assert names(data.val, tmp_path) == ["cat: val/cat/3.jpg"]
    assert names(data.test, tmp_path) == ["dog: test/dog/4.jpg"]


def test_validation_is_another_name_of_val(tmp_path: Path) -> None:
    data = read_data_set(fill(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "validation/b/2.jpg")).training()
    assert names(data.val, tmp_path) == ["b: validation/b/2.jpg"]
    assert data.test == ()


def test_class_folders_alone(tmp_path: Path) -> None:
    data = read_data_set(str(fill(tmp_path, "dog/1.jpg", "cat/1.jpg", "loose.jpg"))).training()
    assert names(data.train, tmp_path) == ["cat: cat/1.jpg", "dog: dog/1.jpg"]
    assert data.val == data.test == ()


def test_images_are_found_at_any_depth_and_in_any_spelling(tmp_path: Path) -> None:
    wanted = ["a/1.JPG", "a/2.Jpeg", "a/deeper/3.png", "a/deeper/still/4.WEBP", "b/5.jpeg"]
    others = ["a/notes.txt", "a/.hidden.jpg", "a/jpg", "a/x.jpg.bak", "a/y.svg", ".git/6.jpg"]
    samples = read_class_folders(fill(tmp_path, *wanted, *others))
    assert names(samples, tmp_path) == [f"{name[0]}: {name}" for name in wanted]


def test_hidden_folders_below_a_class_are_left_alone(tmp_path: Path) -> None:
    """Notebooks and file managers leave copies in .ipynb_checkpoints/, .thumbnails/ and the like."""
    fill(tmp_path, "a/1.jpg", "a/.ipynb_checkpoints/1-checkpoint.jpg")
    assert names(read_class_folders(tmp_path), tmp_path) == ["a: a/1.jpg"]


def test_links_to_class_folders_and_below_them_count(tmp_path: Path) -> None:
    fill(tmp_path, "elsewhere/1.jpg", "elsewhere/deep/2.jpg", "more/3.jpg", "data/a/1.jpg")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "a" / "more").symlink_to("../../more")
    assert names(read_class_folders(tmp_path / "data"), tmp_path) == [
        *("a: data/a/1.jpg", "a: data/a/more/3.jpg", "b: data/b/1.jpg", "b: data/b/deep/2.jpg")
    ]


@pytest.mark.parametrize("target", [".", "..", "../..", "../../.."])
def test_links_in_circles_add_nothing(target: str, tmp_path: Path) -> None:
    fill(tmp_path, "data/a/x/1.jpg", "data/b/2.jpg")
    (tmp_path / "data" / "a" / "x" / "circle").symlink_to(target)
    (tmp_path / "data" / "circle").symlink_to(".")
    (tmp_path / "data" / "up").symlink_to("..")
    assert names(read_class_folders(tmp_path / "data"), tmp_path) == ["a: data/a/x/1.jpg", "b: data/b/2.jpg"]


@pytest.mark.parametrize(
    ("place", "target", "wrong", "first", "classes"),
    [
        ("c", "b", "c", "b", "'b' and 'c'"),
        ("c", "../elsewhere", "c/0", "b/0", "'b' and 'c'"),
        ("a/b", "../b", "b", "a/b", "'a' and 'b'"),
        ("a/deep", "../b/0", "b/0", "a/deep", "'a' and 'b'"),
    ],
)
def test_a_folder_of_two_classes_is_refused(
    place: str, target: str, wrong: str, first: str, classes: str, tmp_path: Path
) -> None:
    """A photograph has one class: counted in both it would be wrong in one of them whatever the answer."""
    data = fill(tmp_path, "data/a/1.jpg", "data/b/0/2.jpg", "elsewhere/3.jpg") / "data"
    if target == "../elsewhere":
        (tmp_path / "elsewhere" / "0").symlink_to(data / "b" / "0")
    (data / place).symlink_to(target)
    with pytest.raises(DataError) as error:
        read_class_folders(data)
    assert str(error.value) == (
        f"{data}/{wrong}: is the same folder as {data}/{first}, so its images would be both {classes}; "
        "remove one of the links"
    )


def test_a_link_that_leads_nowhere_is_no_class_lost_in_silence(tmp_path: Path) -> None:
    for place in ("data/c", "data/b/more", "split/test"):
        root = fill(tmp_path / place.replace("/", "-"), "data/a/1.jpg", "data/b/2.jpg", "split/val/a/1.jpg")
        (root / place).symlink_to("/nowhere/at/all")
        with pytest.raises(DataError) as error:
            read_data_set(root / place.split("/")[0]).evaluation()
        assert str(error.value) == f"{root / place}: is a broken link; mend it or remove it"


def test_what_other_programs_keep_is_no_class_and_no_photograph(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "a/@eaDir/1.jpg/THUMB.jpg", "a/._1.jpg", "@eaDir/2.jpg", "__MACOSX/a/._1.jpg", "b/3.jpg")
    assert names(read_class_folders(tmp_path), tmp_path) == ["a: a/1.jpg", "b: b/3.jpg"]


NFC, NFD = "crème", "cre\u0300me"


def test_a_name_of_macos_is_the_same_class(tmp_path: Path) -> None:
    data = read_data_set(fill(tmp_path, f"train/{NFC}/1.jpg", "train/b/2.jpg", f"val/{NFD}/3.jpg")).training()
    assert data.classes == ("b", NFC)
    assert [sample.label for sample in data.val] == [NFC]
    assert data.val[0].image == tmp_path / "val" / NFD / "3.jpg"


def test_two_folders_that_differ_in_the_form_of_their_name_are_one_class(tmp_path: Path) -> None:
    fill(tmp_path, f"{NFD}/1.jpg", f"{NFC}/2.jpg", "cz/3.jpg")
    if len(os.listdir(tmp_path)) == 2:
        pytest.skip("this disk takes both forms for one name")
    samples = read_class_folders(tmp_path)
    assert [(sample.label, sample.image.name) for sample in samples] == [
        (NFC, "1.jpg"),
        (NFC, "2.jpg"),
        ("cz", "3.jpg"),
    ]


def test_a_link_from_one_form_of_a_name_to_the_other_counts_once(tmp_path: Path) -> None:
    fill(tmp_path, f"{NFC}/2.jpg", "cz/3.jpg")
    if (tmp_path / NFD).exists():
        pytest.skip("this disk takes both forms for one name")
    (tmp_path / NFD).symlink_to(NFC)
    assert [sample.image.name for sample in read_class_folders(tmp_path)] == ["2.jpg", "3.jpg"]


def test_the_order_is_not_the_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *(f"{label}/{number}/{number}.jpg" for label in "abc" for number in range(4)))
    expected = read_class_folders(tmp_path)
    scandir = os.scandir

    @contextmanager
    def backwards(folder: str) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(folder) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=True)

    monkeypatch.setattr(os, "scandir", backwards)
    assert read_class_folders(tmp_path) == expected


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "{root}: has no class folders; expected one sub-folder per class, with its images in it"),
        (("loose.jpg",), "{root}: has no class folders"),
        (("a/1.jpg",), "{root}: has one class to train on (a); training needs at least two"),
        (("train/a/1.jpg", "b/1.jpg"), "{root}: has one class to train on (a)"),
        (("a/1.jpg", "b/"), "{root}/b: the class folder has no images (.jpg, "),
        (("a/1.jpg", "b/notes.txt"), "{root}/b: the class folder has no images"),
        (("train/a/1.jpg", "train/b/1.jpg", "val/"), "{root}/val: has no class folders"),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/c/1.jpg"),
            "{root}: val has the class 'c', which train does not have: a, b",
        ),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "test/A/1.jpg"),
            "{root}: test has the class 'A', which train does not have: a, b",
        ),
        (("val/a/1.jpg", "val/b/1.jpg", "test/a/1.jpg"), "{root}: "),
    ],
)
def test_what_cannot_be_trained_on(files: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_data_set(fill(tmp_path, *files)).training()
    assert str(error.value).startswith(message.format(root=tmp_path))


def test_what_is_no_data_set(tmp_path: Path) -> None:
    fill(tmp_path, "file.jpg")
    with pytest.raises(
        DataError, match=r"file\.jpg: is no data set; one is a folder with a folder for each class, a table"
    ):
        read_data_set(tmp_path / "file.jpg")
    with pytest.raises(DataError, match="the name of the data set is empty"):
        read_data_set("")
    with pytest.raises(DataError, match=r"nowhere: there is no such file or folder$"):
        read_data_set(tmp_path / "nowhere")


def test_other_usual_names_of_splits(tmp_path: Path) -> None:
    fill(tmp_path, "Training/a/1.jpg", "Training/b/1.jpg", "valid/a/2.jpg", "Testing/b/3.jpg")
    data = read_data_set(tmp_path)
    assert [*data.splits] == ["train", "val", "test"]
    assert names(data.evaluation(), tmp_path) == ["b: Testing/b/3.jpg"]
    assert names(data.training().val, tmp_path) == ["a: valid/a/2.jpg"]


def test_a_class_may_be_called_like_a_split(tmp_path: Path) -> None:
    fill(tmp_path, "training/1.jpg", "running/2.jpg", "Test/3.jpg")
    assert read_data_set(tmp_path).training().classes == ("Test", "running", "training")


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """The training pictures of ImageNet are a million; those of val are scored without listing them."""
    fill(tmp_path, "train/a/", "val/a/1.jpg")
    assert names(read_data_set(tmp_path).evaluation(), tmp_path) == ["a: val/a/1.jpg"]
    with pytest.raises(DataError, match="train/a: the class folder has no images"):
        read_data_set(tmp_path).training()


def test_training_pictures_are_not_scored_unasked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has neither test nor val, only train; --split train \(split='train'\)"):
        read_data_set(fill(tmp_path, "train/a/1.jpg")).evaluation()


def test_many_classes_are_not_all_listed(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train/{number:02d}/1.jpg" for number in range(30)), "val/x/1.jpg")
    with pytest.raises(DataError, match=r"00, 01, 02, .*, 11 and 18 more$"):
        read_data_set(tmp_path).training()


@pytest.mark.parametrize(
    ("removed", "split", "expected"),
    [
        ((), None, "test/dog/4.jpg"),
        (("test",), None, "val/cat/3.jpg"),
        ((), "val", "val/cat/3.jpg"),
        ((), "train", "train/cat/1.jpg"),
        ((), "holiday", "holiday/cat/5.jpg"),
    ],
)
def test_evaluation_takes_test_else_val_else_what_is_named(
    removed: tuple[str, ...], split: str | None, expected: str, tmp_path: Path
) -> None:
    fill(tmp_path, *SPLITS, "holiday/cat/5.jpg")
    for name in removed:
        shutil.rmtree(tmp_path / name)
    assert read_data_set(tmp_path).evaluation(split)[0].image == tmp_path / expected


def test_evaluation_of_class_folders_and_of_validation(tmp_path: Path) -> None:
    fill(tmp_path, "alone/cat/1.jpg", "splits/validation/cat/2.jpg", "splits/train/cat/3.jpg")
    assert names(read_data_set(tmp_path / "alone").evaluation(), tmp_path) == ["cat: alone/cat/1.jpg"]
    for split in (None, "val", "validation"):
        found = read_data_set(tmp_path / "splits").evaluation(split)
        assert names(found, tmp_path) == ["cat: splits/validation/cat/2.jpg"]


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    fill(tmp_path, *SPLITS)
    with pytest.raises(DataError) as error:
        read_data_set(tmp_path).evaluation("holiday")
    assert str(error.value) == f"{tmp_path}: has no split 'holiday'; it has train, val, test"
