"""A folder of images and a list of their classes: ImageNet's validation set in the forms in which it is handed on.

A list has a line for each image, `ILSVRC2012_val_00000001.JPEG 65`, or a class alone for each image in the order of
their names; or it is Kaggle's LOC_val_solution.csv, or a table of path and label.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from regnety.datasets.samples import Sample
from regnety.datasets.tables import decoded, read_table_file, text_rows
from regnety.errors import DataError
from regnety.images.formats import SUFFIXES
from regnety.images.listing import images_in
from regnety.images.sources import Unreadable
from regnety.text import counted, excerpt

KAGGLE = "LOC_val_solution.csv"
"""Its second column begins with the WordNet ID of the image's class; boxes follow."""
_NUMBERED = re.compile(r"ILSVRC2012_(?:val|test)_0*(\d+)", re.IGNORECASE)
_LISTED = re.compile(
    rf"(?P<name>.*?(?:{'|'.join(map(re.escape, SUFFIXES))}))[\"']?\s*[\s,;]\s*(?P<label>.+)", re.IGNORECASE
)
_WNID = re.compile("n[0-9]{8}")


def read_listed_folder(folder: Path, labels_file: Path) -> tuple[tuple[Sample, ...], list[str]]:
    """The images of a folder, sorted by their path, with the classes that a list names; and what there is to say.

    Args:
        folder: searched with the folders inside.
        labels_file: the list.

    Raises:
        DataError: the folder has no images, one of them is not listed or has two classes, or the list is none or is in
            ILSVRC's own numbers.
    """
    images = []
    for source in images_in(str(folder), recursive=True):
        if isinstance(source, Unreadable):
            raise DataError(f"{source.name}: {source.reason}")
        images.append(Path(source))
    if not images:
        raise DataError(f"{folder}: has no images ({', '.join(SUFFIXES)})")
    images.sort()
    text = decoded(read_table_file(labels_file), str(labels_file))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{labels_file}: is empty")
    if not any(re.search(r"[\s,;]", line) for line in lines):
        labels, unused = _in_order(images, lines, labels_file), 0
    else:
        names = _by_name(text, lines, labels_file)
        labels, used = [], set()
        for image in images:
            name = next((name for name in _names_of(image, folder) if name in names), None)
            if name is None:
                raise DataError(f"{image}: is not in the list {labels_file}")
            used.add(name)
            labels.append(names[name])
        unused = len(names) - len(used)
    notices = []
    if unused:
        notices.append(f"{labels_file}: lists {counted(unused, 'image')} more than there are in {folder}")
    return tuple(Sample(image, label) for image, label in zip(images, labels, strict=True)), notices


def _names_of(image: Path, folder: Path) -> Iterator[str]:
    """What a list may call an image."""
    inner = image.relative_to(folder)
    yield inner.as_posix()
    yield f"{folder.name}/{inner.as_posix()}"
    yield image.name
    yield image.stem


def _by_name(text: str, lines: list[str], labels_file: Path) -> Mapping[str, str]:
    """The class of each name in a list."""
    names: dict[str, str] = {}
    for name, label, place in _pairs(text, lines, labels_file):
        label = unicodedata.normalize("NFC", label)
        if names.setdefault(name, label) != label:
            raise DataError(f"{labels_file}: {place}: {excerpt(name)} has two classes, {names[name]!r} and {label!r}")
    _check_numbers(names.values(), labels_file)
    return names


def _pairs(text: str, lines: list[str], labels_file: Path) -> Iterator[tuple[str, str, str]]:
    if _LISTED.fullmatch(lines[0]) is None and "," in lines[0]:
        for row in text_rows(text, str(labels_file)):
            first = row.label.partition(" ")[0]
            yield row.path, first if _WNID.fullmatch(first) else row.label, row.place
        return
    for number, line in enumerate(lines, start=1):
        place = f"line {number}"
        match = _LISTED.fullmatch(line)
        if match is not None:
            label = match["label"].partition("\t")[0]  # Tiny ImageNet's list has a box after it
            yield match["name"].strip("\"'").removeprefix("./"), label.strip("\"' "), place
            continue
        words = re.split(r"[\s,;]+", line)
        if len(words) != 2:
            raise DataError(f"{labels_file}: {place} is no `name class`: {excerpt(line)}")
        yield words[0], words[1], place


def _in_order(images: list[Path], lines: list[str], labels_file: Path) -> list[str]:
    """The classes of images in the order of their names; those of ILSVRC say their line themselves."""
    if all(line.isdecimal() for line in lines):
        raise DataError(f"{labels_file}: {_OWN_NUMBERS}")
    numbers = [match and int(match[1]) for match in (_NUMBERED.match(image.name) for image in images)]
    if all(number is not None and 1 <= number <= len(lines) for number in numbers):
        return [lines[number - 1] for number in numbers if number is not None]
    if len(lines) != len(images):
        what = f"has {counted(len(lines), 'line')} for {counted(len(images), 'image')}"
        raise DataError(f"{labels_file}: {what} of {images[0].parent}; it must have one for each, or name them")
    return lines


_OWN_NUMBERS = (
    "has numbers that may be ILSVRC's own, 1 to 1000 in another order than that of models (0 to 999), so their classes "
    f"would be wrong; take {KAGGLE}, a list of WordNet IDs, or one of `name index` lines"
)


def _check_numbers(labels: Iterable[str], labels_file: Path) -> None:
    numbers = {int(label) for label in labels if label.isdecimal()}
    if 1000 in numbers and 0 not in numbers and max(numbers) == 1000:
        raise DataError(f"{labels_file}: {_OWN_NUMBERS}")
