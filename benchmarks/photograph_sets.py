"""Writes the photograph sets that the benchmarks of fine-tuning use, each with a test set of its own.

    python benchmarks/photograph_sets.py DATA FOLDER

DATA has sign-digits.zip, trash.zip and tiny-imagenet.tar.xz; FOLDER gets SET/train/CLASS/ and SET/test/CLASS/. A set
that is there already is left as it is. The pictures are the files of the archives, byte for byte.

- `sign-digits`: hands that sign the digits, 2,062 photographs of 100x100. The test set has other people than the
  training set: every fourth person. Photographs were taken one person at a time, digit after digit, so in the order of
  the numbers in the file names a new person begins where the digit does not rise.
- `trash`: six kinds of waste, 480 photographs of 512x384. The test set is every fourth photograph of a class, in an
  order drawn at random.
- `twenty-classes`: twenty classes of Tiny ImageNet, the first 200 training pictures of each, 64x64; its own validation
  pictures are the test set.
- `cifar10`, which only `cifar10_accuracy.py` asks for: the 60,000 pictures of cifar10.zip, with its own test set.
"""

import argparse
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

TWENTY_CLASSES = (
    "African elephant",
    "American lobster",
    "Chihuahua",
    "acorn",
    "barn",
    "bee",
    "goldfish",
    "guacamole",
    "king penguin",
    "koala",
    "lesser panda",
    "pizza",
    "refrigerator",
    "rugby ball",
    "school bus",
    "sunglasses",
    "tabby",
    "teddy",
    "triumphal arch",
    "trolleybus",
)
PICTURES_OF_A_CLASS = 200
TESTED = 4
"""One person, or one photograph, of so many is in the test set."""
SETS = ("sign-digits", "trash", "twenty-classes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the archives")
    parser.add_argument("folder", type=Path, help="where the sets are written")
    options = parser.parse_args()
    for name in SETS:
        folder = write_set(name, options.data, options.folder)
        counts = [sum(1 for _ in (folder / split).glob("*/*")) for split in ("train", "test")]
        print(f"{folder}: {counts[0]} training and {counts[1]} test pictures")


def write_set(name: str, data: Path, folder: Path) -> Path:
    """Write one of `SETS`, or `cifar10`, into a folder of its name, which is returned."""
    place = folder / name
    if place.exists():
        return place
    beside = folder / f"{name}.incomplete"
    shutil.rmtree(beside, ignore_errors=True)
    readers = {"sign-digits": _sign_digits, "trash": _trash, "twenty-classes": _twenty_classes, "cifar10": _cifar10}
    pictures = readers[name](data)
    for split, path, content in pictures:
        target = beside / split / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    beside.rename(place)
    return place


def _sign_digits(data: Path) -> Iterator[tuple[str, PurePosixPath, bytes]]:
    with zipfile.ZipFile(data / "sign-digits.zip") as archive:
        paths = sorted(_photographs(archive.namelist()), key=_number)
        for path, person in zip(paths, people([int(path.parent.name) for path in paths]), strict=True):
            yield "train" if person % TESTED else "test", path, archive.read(str(path))


def people(digits: Iterable[int]) -> Iterator[int]:
    """The number of the person, from 0, of each photograph: a new one begins where the digit does not rise."""
    person, last = 0, -1
    for digit in digits:
        person += digit <= last
        last = digit
        yield person


def _number(path: PurePosixPath) -> int:
    found = re.search(r"(\d+)", path.stem)
    assert found is not None, path
    return int(found.group(1))


def _trash(data: Path) -> Iterator[tuple[str, PurePosixPath, bytes]]:
    with zipfile.ZipFile(data / "trash.zip") as archive:
        classes: dict[str, list[PurePosixPath]] = {}
        for path in sorted(_photographs(archive.namelist())):
            classes.setdefault(path.parent.name, []).append(path)
        random = np.random.default_rng(0)
        for paths in classes.values():
            for place, index in enumerate(random.permutation(len(paths))):
                yield "train" if place % TESTED else "test", paths[index], archive.read(str(paths[index]))


def _twenty_classes(data: Path) -> Iterator[tuple[str, PurePosixPath, bytes]]:
    counts = dict.fromkeys(TWENTY_CLASSES, 0)
    # A stream: the archive has 110,000 files in one compressed piece. Its training pictures are in the order of their
    # numbers only within a class, so names decide, not positions.
    with tarfile.open(data / "tiny-imagenet.tar.xz", "r|xz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if not member.isfile() or path.parent.name not in counts:
                continue
            split = path.parent.parent.name
            if split == "train" and int(path.stem) >= PICTURES_OF_A_CLASS:
                continue
            content = archive.extractfile(member)
            assert content is not None
            counts[path.parent.name] += split == "train"
            yield {"train": "train", "val": "test"}[split], path, content.read()
    assert set(counts.values()) == {PICTURES_OF_A_CLASS}, counts


def _cifar10(data: Path) -> Iterator[tuple[str, PurePosixPath, bytes]]:
    with zipfile.ZipFile(data / "cifar10.zip") as archive:
        for path in _photographs(archive.namelist()):
            yield path.parent.parent.name, path, archive.read(str(path))


def _photographs(names: Iterable[str]) -> Iterator[PurePosixPath]:
    return (path for path in map(PurePosixPath, names) if path.suffix.lower() == ".jpg")


if __name__ == "__main__":
    main()
