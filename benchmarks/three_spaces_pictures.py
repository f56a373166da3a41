"""Writes the pictures of the study of three spaces: a part of CIFAR-10's training pictures, and others of them.

The test pictures are left alone unless they are asked for: errors that choose between networks are measured on training
pictures that no network was trained on.
"""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np


def write_part(archive: Path, folder: Path, *, train: int, val: int, seed: int = 0, with_test: bool = False) -> Path:
    """Write some pictures of each class, drawn at random, byte for byte as they are in the archive.

    Args:
        archive: a zip with train/CLASS/*.jpg.
        folder: gets a folder cifar10-TRAIN-VAL with train/CLASS/ and val/CLASS/, which is returned. One that is there
            already is left as it is.
        train: pictures of each class to train on.
        val: pictures of each class to measure errors on.
        seed: of the choice.
        with_test: write all test pictures too; the folder's name ends with -test.
    """
    place = folder / f"cifar10-{train}-{val}{'-test' if with_test else ''}"
    if place.exists():
        return place
    beside = folder / f"{place.name}.incomplete"
    shutil.rmtree(beside, ignore_errors=True)
    random = np.random.default_rng(seed)
    with zipfile.ZipFile(archive) as pictures:
        classes: dict[str, list[PurePosixPath]] = {}
        for path in sorted(map(PurePosixPath, pictures.namelist())):
            if path.parts[0] == "train" and path.suffix == ".jpg":
                classes.setdefault(path.parent.name, []).append(path)
        if not classes:
            raise SystemExit(f"{archive}: has no train/CLASS/*.jpg")
        for label, paths in classes.items():
            if len(paths) < train + val:
                raise SystemExit(f"{archive}: has {len(paths)} training pictures of {label}, {train + val} are needed")
            for order, index in enumerate(random.permutation(len(paths))[: train + val]):
                target = beside / ("train" if order < train else "val") / label / paths[index].name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(pictures.read(str(paths[index])))
        for name in pictures.namelist():
            if with_test and name.startswith("test/") and name.endswith(".jpg"):
                target = beside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(pictures.read(name))
    beside.rename(place)
    return place
