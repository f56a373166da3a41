"""Pictures are looked at before the first step; what cannot be read stops a run there, or is left out for good."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pictures import encoded, photograph, write_colours
from regnety import Bundle, DataError, ImageError
from regnety.datasets.unreadable import UnreadablePicturesError
from regnety.images.decoding import check_image, load_image
from regnety.training import pictures as training_pictures
from runs import CROPS, epochs_of, run, weights_of


def truncate(path: Path) -> None:
    data = encoded(photograph(60, 50), "JPEG")
    path.write_bytes(data[: len(data) * 2 // 3])


def deny(path: Path) -> None:
    path.write_bytes(encoded(photograph(20, 20), "JPEG"))
    path.chmod(0)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty.jpg": (Path.touch, "is empty"),
    "text.png": (lambda path: path.write_text("notes") and None, "is not an image that can be read"),
    "cut.jpg": (truncate, "cannot be decoded: image file is truncated"),
    "gone.webp": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "pipe.jpg": (os.mkfifo, "is a device or a pipe"),
    "head.gif": (
        lambda path: path.write_bytes(b"GIF89a") and None,
        "is not a GIF image that can be read; it is damaged",
    ),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for split, count in (("train", 6), ("val", 3)):
        write_colours(tmp_path / "data" / split, count=count, suffix=".jpg")
    return tmp_path / "data"


@pytest.mark.parametrize("crop", CROPS)
def test_all_that_cannot_be_read_is_named_before_the_first_step(crop: str, data: Path, tmp_path: Path) -> None:
    (data / "train" / "red" / "folder.jpg").mkdir()
    for number, (name, (damage, _)) in enumerate(DAMAGES.items()):
        damage(data / ("val" if number % 2 else "train") / "red" / name)
    if os.getuid():
        deny(data / "train" / "red" / "denied.jpg")
    with pytest.raises(UnreadablePicturesError) as error:
        run(data, tmp_path / "run", f"augmentation.crop={crop}")
    found = {Path(line.partition(": ")[0]).name: line.partition(": ")[2] for line in error.value.errors}
    assert found.keys() == {*DAMAGES, *(["denied.jpg"] if os.getuid() else [])}
    for name, (_, reason) in DAMAGES.items():
        assert found[name].startswith(reason), found[name]
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_has_the_same_classes_and_splits(data: Path, tmp_path: Path) -> None:
    """Under the same names: a table in which labels or splits were changed meanwhile."""
    rows = [
        (path.relative_to(data).as_posix(), path.parent.name, path.parent.parent.name) for path in data.rglob("*.jpg")
    ]
    table = data / "table.csv"

    def write(change: dict[str, str], *, moved: bool = False) -> None:
        lines = [
            f"{path},{change.get(label, label)},{'val' if moved and path.endswith('train/red/000.jpg') else split}"
            for path, label, split in rows
        ]
        table.write_text("\n".join(["path,label,split", *lines]) + "\n", "utf-8")

    write({})
    run(table, tmp_path / "run", "epochs=1")
    for change, moved in (({"red": "green", "green": "red"}, False), ({"red": "z"}, False), ({}, True)):
        write(change, moved=moved)
        with pytest.raises(DataError, match=r"has other pictures than when the run in .* began \("):
            run(table, tmp_path / "run", "epochs=2", resume=True)
    write({})
    run(table, tmp_path / "run", "epochs=2", resume=True)
    assert epochs_of(tmp_path / "run") == [1, 2]


@pytest.mark.parametrize("crop", CROPS)
def test_what_is_left_out_stays_out(crop: str, data: Path, tmp_path: Path) -> None:
    """The weights are those of a folder without these pictures, also where they are mended before the run goes on."""
    settings = (f"augmentation.crop={crop}", "precision=f32")
    clean = shutil.copytree(data, tmp_path / "clean")
    (data / "train" / "blue" / "000 first.jpg").touch()
    truncate(data / "train" / "red" / "003 cut.jpg")
    truncate(data / "val" / "red" / "cut.jpg")
    output = tmp_path / "run"
    run(data, output, *settings, "epochs=2", skip_unreadable=True)
    assert json.loads((output / "pictures.json").read_text())["unreadable"] == [
        "train/blue/000 first.jpg", "train/red/003 cut.jpg", "val/red/cut.jpg"
    ]  # fmt: skip
    assert Bundle.load(output).provenance["data"] == "data: 18 training pictures"
    assert Bundle.load(output).provenance["left_out"] == "3 pictures that cannot be read"
    shutil.copy(data / "train" / "red" / "001.jpg", data / "train" / "red" / "003 cut.jpg")
    run(data, output, *settings, "epochs=4", resume=True)
    for epochs in (2, 4):
        run(clean, tmp_path / "alone", *settings, f"epochs={epochs}", resume=True)
    assert weights_of(output) == weights_of(tmp_path / "alone")
    assert epochs_of(output) == [1, 2, 3, 4]


def test_what_is_held_out_comes_from_what_can_be_read(tmp_path: Path) -> None:
    data = write_colours(tmp_path / "data", count=5)
    clean = shutil.copytree(data, tmp_path / "clean")
    (data / "green" / "0000.png").touch()
    run(data, tmp_path / "run", "epochs=1", "val_fraction=0.4", skip_unreadable=True)
    run(clean, tmp_path / "alone", "epochs=1", "val_fraction=0.4")
    splits = [json.loads((tmp_path / name / "split.json").read_text()) for name in ("run", "alone")]
    assert splits[0] == splits[1]
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "alone")


def test_a_class_of_which_nothing_can_be_read(data: Path, tmp_path: Path) -> None:
    for path in (data / "train" / "green").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no picture of the class 'green' can be read; .*/green/000.jpg: is empty$"):
        run(data, tmp_path / "run", skip_unreadable=True)
    assert not (tmp_path / "run").exists()


def test_pictures_that_the_run_began_with_cannot_be_left_out_later(data: Path, tmp_path: Path) -> None:
    output, broken = tmp_path / "run", data / "train" / "green" / "002.jpg"
    run(data, output, "epochs=1")
    picture = broken.read_bytes()
    truncate(broken)
    with pytest.raises(UnreadablePicturesError) as error:
        run(data, output, "epochs=2", resume=True, skip_unreadable=True)
    assert str(error.value).startswith(f"{broken}: cannot be decoded: image file is truncated")
    assert str(error.value).endswith("; the run began with it; put it back, or start another run")
    broken.write_bytes(picture)
    assert run(data, output, "epochs=2", resume=True).epochs == 2


def test_pictures_that_have_not_changed_are_not_looked_at_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Path] = []
    monkeypatch.setattr(training_pictures, "check_image", lambda path: looked_at.append(path) or check_image(path))
    run(data, tmp_path / "run", "epochs=1")
    assert len(looked_at) == 27
    run(data, tmp_path / "run", "epochs=2", resume=True)
    assert len(looked_at) == 27
    os.utime(data / "val" / "red" / "000.jpg", (1, 1))
    run(data, tmp_path / "run", "epochs=3", resume=True)
    assert len(looked_at) == 54


def test_a_picture_that_goes_away_during_the_run_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = data / "train" / "red" / "004.jpg"
    monkeypatch.setattr(training_pictures, "check_image", lambda path: gone.unlink(missing_ok=True))
    with pytest.raises(ImageError) as error:
        run(data, tmp_path / "run")
    assert (
        str(error.value)
        == f"{gone}: no such file; the run began with it: put it back, then continue with --resume (resume=True)"
    )


def test_looking_at_a_picture_and_decoding_it_come_to_the_same() -> None:
    """Files that were cut or changed anywhere."""
    generator = random.Random(0)
    kinds = [("JPEG", {}), ("JPEG", {"progressive": True}), ("JPEG", {"quality": 30, "subsampling": 2}), ("PNG", {})]
    for kind, options in [*kinds, ("WEBP", {}), ("TIFF", {}), ("BMP", {}), ("GIF", {})]:
        whole = encoded(photograph(121, 85), kind, **options)
        check_image(whole)
        for number in range(40):
            data = bytearray(whole[: generator.randrange(1, len(whole))] if number % 2 else whole)
            data[generator.randrange(len(data))] = generator.randrange(256)
            assert _reads(check_image, bytes(data)) == _reads(load_image, bytes(data)), (kind, options, number)


def _reads(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except ImageError:
        return False
    return True
