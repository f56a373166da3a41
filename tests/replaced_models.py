"""Two models of one design, one of which always says the first class and the other the second, and seventeen ways to
put one in the place of the other. In every form every file of both has the same length and the same time."""

import ctypes
import mmap
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from bundles import small_bundle
from pictures import noise
from regnety import Bundle, Predictor, export_model
from regnety.files.safetensors_files import write_safetensors
from regnety.files.torch_files.writing import write_torch

Way: TypeAlias = Callable[[Path, Path], None]

PICTURE = noise(40, 40)
ENGINES = ("onnxruntime", "openvino")
FORMS = {
    "folder": "",
    "safetensors": "w.safetensors",
    "pth": "w.pth",
    "onnx": "w.onnx",
    "graph folder": "",
    "xml": "w.xml",
}
"""Form to the place of the model in a folder that is replaced."""


def constant(answer: int) -> Bundle:
    """A model that says the same class of every picture."""
    bundle = small_bundle()
    weights = dict(bundle.weights)
    weights["head.fc.weight"] = np.zeros_like(weights["head.fc.weight"])
    weights["head.fc.bias"] = np.eye(4, dtype=np.float32)[answer] * 9
    return Bundle(bundle.metadata, weights)


def write(form: str, folder: Path, answer: int) -> None:
    """A model in a folder of its own, all times of which are put back."""
    bundle = constant(answer)
    match form:
        case "folder":
            bundle.save(folder)
        case "graph folder":
            bundle.save(folder)
            export_model(bundle, folder / "model.onnx")
            (folder / "model.safetensors").unlink()
        case _:
            folder.mkdir()
            path = folder / FORMS[form]
            if form == "safetensors":
                write_safetensors(path, bundle.weights)
            elif form == "pth":
                write_torch(path, bundle.weights)
            else:
                export_model(bundle, path)
    put_times_back(folder)


def put_times_back(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def write_both(top: Path) -> Path:
    """FORM/1 and FORM/2."""
    for form in FORMS:
        (top / form).mkdir()
        for answer in (1, 2):
            write(form, top / form / str(answer), answer)
        if form == "xml":  # numbers as text
            one, two = (top / form / str(number) / "w.xml" for number in (1, 2))
            length = max(one.stat().st_size, two.stat().st_size)
            for path in (one, two):
                path.write_bytes(path.read_bytes().ljust(length, b"\n"))
                put_times_back(path.parent)
        sizes = [{path.name: path.stat().st_size for path in (top / form / number).iterdir()} for number in "12"]
        assert sizes[0] == sizes[1], form
    return top


def predictor(model: str | Path, engine: str = "onnxruntime") -> Predictor:
    return Predictor(model, engine=engine, precision="f32", image_size=32)


def answer(of: str | Path | Predictor, engine: str = "onnxruntime") -> int:
    made = of if isinstance(of, Predictor) else predictor(of, engine)
    return made.predict(PICTURE, 1)[0].predictions[0].index


# Ways: each makes `place` hold what `new` holds.


def copied_anew(place: Path, new: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(new, place)


def copied_over(place: Path, new: Path) -> None:
    shutil.copytree(new, place, dirs_exist_ok=True)


def copied_by_cp(place: Path, new: Path) -> None:
    subprocess.run(["cp", "-rp", f"{new}/.", place], check=True)


def folder_renamed(place: Path, new: Path) -> None:
    shutil.copytree(new, place.with_name("next"))
    place.rename(place.with_name("before"))
    place.with_name("next").rename(place)


def files_renamed(place: Path, new: Path) -> None:
    for path in new.iterdir():
        shutil.copy2(path, place / "next")
        (place / "next").replace(place / path.name)
    put_times_back(place)


def exchanged(place: Path, new: Path) -> None:
    shutil.copytree(new, place.with_name("next"))
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None or renameat2(-100, bytes(place.with_name("next")), -100, bytes(place), 2):
        pytest.skip("needs a file system that exchanges two names at once")


def moved_from_elsewhere(place: Path, new: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(new, place.with_name("next"))
    shutil.move(place.with_name("next"), place)


def written_in_place(place: Path, new: Path) -> None:
    for path in new.iterdir():
        with (place / path.name).open("r+b") as file:
            file.write(path.read_bytes())
    put_times_back(place)


def written_through_a_map(place: Path, new: Path) -> None:
    for path in new.iterdir():
        with (place / path.name).open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:] = path.read_bytes()
    put_times_back(place)


def cut_short_and_filled(place: Path, new: Path) -> None:
    for path in new.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    put_times_back(place)


def one_byte_at_a_time(place: Path, new: Path) -> None:
    """Those bytes alone that differ, as `rsync --inplace` does it."""
    for path in new.iterdir():
        data, old = path.read_bytes(), (place / path.name).read_bytes()
        with (place / path.name).open("r+b") as file:
            for position in np.flatnonzero(np.frombuffer(data, np.uint8) != np.frombuffer(old, np.uint8)):
                file.seek(int(position))
                file.write(data[position : position + 1])
    put_times_back(place)


def untarred(place: Path, new: Path) -> None:
    with tarfile.open(place.with_name("model.tar"), "w") as archive:
        archive.add(new, ".")
    with tarfile.open(place.with_name("model.tar")) as archive:
        archive.extractall(place, filter="fully_trusted")


def unzipped(place: Path, new: Path) -> None:
    with zipfile.ZipFile(place.with_name("model.zip"), "w") as archive:
        for path in new.iterdir():
            archive.write(path, path.name)
    with zipfile.ZipFile(place.with_name("model.zip")) as archive:
        archive.extractall(place)
    put_times_back(place)


def hard_linked(place: Path, new: Path) -> None:
    """To a file that is older than the first model."""
    for path in new.iterdir():
        (place / path.name).unlink()
        os.link(path, place / path.name)


def linked_file_by_file(place: Path, new: Path) -> None:
    for path in new.iterdir():
        (place / path.name).unlink()
        (place / path.name).symlink_to(path)


def linked(place: Path, new: Path) -> None:
    shutil.rmtree(place)
    place.symlink_to(new, target_is_directory=True)


def times_of_the_first(place: Path, new: Path) -> None:
    """`touch -r`."""
    for path in new.iterdir():
        old = (place / path.name).stat()
        (place / path.name).unlink()
        shutil.copyfile(path, place / path.name)
        os.utime(place / path.name, ns=(old.st_atime_ns, old.st_mtime_ns))


WAYS: tuple[Way, ...] = (
    copied_anew,
    copied_over,
    copied_by_cp,
    folder_renamed,
    files_renamed,
    exchanged,
    moved_from_elsewhere,
    written_in_place,
    written_through_a_map,
    cut_short_and_filled,
    one_byte_at_a_time,
    untarred,
    unzipped,
    hard_linked,
    linked_file_by_file,
    linked,
    times_of_the_first,
)


def replaced_in_a_row(form: str, engine: str, ways: tuple[Way, ...], models: Path, top: Path) -> None:
    """The first model, the second by some way, the first again."""
    for way in ways:
        place = top / f"{way.__name__} {form}" / "model"
        shutil.copytree(models / form / "1", place)
        asked = place / FORMS[form]
        assert answer(asked, engine) == 1
        way(place, models / form / "2")
        assert answer(asked, engine) == 2, way.__name__
        if place.is_symlink():
            place.unlink()
        copied_anew(place, models / form / "1") if place.exists() else shutil.copytree(models / form / "1", place)
        assert answer(asked, engine) == 1, way.__name__
