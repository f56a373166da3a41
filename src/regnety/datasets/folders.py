"""Image folders: one sub-folder a class, below `train/`, `val/` and `test/` or on its own."""

import os
import random
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regnety.errors import DataError
from regnety.images.formats import SUFFIXES, is_passed_over
from regnety.images.listing import (
    BROKEN_LINK,
    FolderId,
    folder_id,
    images_in,
    is_broken_folder_link,
    is_within,
    leads_to_folder,
)
from regnety.images.sources import Unreadable

SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
"""Names that a split's folder may have."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A photograph and its class."""

    path: Path
    label: str
    """The name of its class, in Unicode's composed form (NFC)."""


@dataclass(frozen=True, slots=True)
class DataSplits:
    """What a data folder holds. An absent split is empty."""

    root: Path
    classes: tuple[str, ...]
    """Names of the classes of `train`, sorted: the index is the model's output."""
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]


def read_training_folder(root: str | Path) -> DataSplits:
    """Read DIR/train (or class folders alone), and DIR/val or DIR/validation, and DIR/test where there are any.

    Raises:
        DataError: nothing to train on, or a class in val or test that train does not have.
    """
    root = _existing_folder(root)
    train_folder = split_folder(root, "train")
    if train_folder is None:
        for split in ("val", "test"):
            if lone := split_folder(root, split):
                raise DataError(f"{root}: has {lone.name}/ but no train/")
        train_folder = root
    train = read_class_folders(train_folder)
    classes = tuple(sorted({sample.label for sample in train}))
    if len(classes) < 2:
        raise DataError(f"{train_folder}: holds one class ({classes[0]}); training needs at least two class folders")
    others = {}
    for split in ("val", "test"):
        folder = split_folder(root, split) if train_folder != root else None
        others[split] = read_class_folders(folder) if folder else ()
        unknown = sorted({sample.label for sample in others[split]} - set(classes))
        if unknown:
            raise DataError(f"{folder}: class {unknown[0]!r} is not a class of {train_folder}: {_listing(classes)}")
    return DataSplits(root, classes, train, others["val"], others["test"])


def read_evaluation_folder(root: str | Path, split: str | None = None) -> tuple[Sample, ...]:
    """The labelled photographs to evaluate on: class folders, or with splits `test`, else `val`.

    Args:
        root: the data folder.
        split: another split to take, by its name; `.` is the folder itself.

    Raises:
        DataError: no such split, or no images.
    """
    root = _existing_folder(root)
    if split is not None:
        folder = split_folder(root, split) or (root / split if (root / split).is_dir() else None)
        if folder is None:
            raise DataError(f"{root}: has no folder for the split {split!r}; it has {_listing(_subfolders(root))}")
        return read_class_folders(folder)
    return read_class_folders(split_folder(root, "test") or split_folder(root, "val") or root)


def split_folder(root: Path, split: str) -> Path | None:
    """The folder of a split, where there is one.

    Raises:
        DataError: it is a link that leads nowhere.
    """
    for name in SPLIT_FOLDERS.get(split, (split,)):
        if (root / name).is_dir():
            return root / name
        if (root / name).is_symlink() and not (root / name).exists():
            raise DataError(f"{root / name}: {BROKEN_LINK}")
    return None


def read_class_folders(folder: Path) -> tuple[Sample, ...]:
    """Every image below every class folder, sorted by class and path, whatever order the disk has them in.

    A class is called by its folder's name in Unicode's composed form (NFC), so that names from macOS (NFD) are the same
    ones; two folders whose names differ in nothing else are one class. Links to folders are followed. A folder that
    two classes lead to is an error: a photograph has one class here.

    Raises:
        DataError: there is no class folder, one has no images or cannot be read, a link leads nowhere, or two classes
            share a folder.
    """
    files: dict[str, list[Path]] = defaultdict(list)
    owners: dict[FolderId, tuple[str, str]] = {}
    visited: dict[str, dict[FolderId, str]] = defaultdict(dict)
    for name in _subfolders(folder):
        label = unicodedata.normalize("NFC", name)
        if folder_id(str(folder / name)) in visited[label]:
            continue
        found = _image_files(folder / name, visited[label])
        if not found:
            raise DataError(f"{folder / name}: the class folder has no images ({', '.join(SUFFIXES)})")
        files[label] += found
    for label, folders in visited.items():
        for identity, place in folders.items():
            other, first = owners.setdefault(identity, (label, place))
            if other != label:
                raise DataError(
                    f"{place}: is the same folder as {first}, "
                    f"so its photographs would be both {other!r} and {label!r}; remove one of the links"
                )
    if not files:
        raise DataError(f"{folder}: has no class folders; wanted is one sub-folder a class, with its images in it")
    return tuple(Sample(path, label) for label in sorted(files) for path in sorted(files[label]))


def hold_out(samples: Sequence[Sample], fraction: float, *, seed: int) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split samples into (kept, held out), the same share of every class, at least one of each that has two."""
    generator = random.Random(seed)
    by_label: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_label[sample.label].append(sample)
    held: set[Path] = set()
    for label in sorted(by_label):
        members = by_label[label]
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held.update(sample.path for sample in generator.sample(members, count))
    kept = tuple(sample for sample in samples if sample.path not in held)
    return kept, tuple(sample for sample in samples if sample.path in held)


def _existing_folder(root: str | Path) -> Path:
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: {'is a file, not a' if root.exists() else 'there is no such'} folder")
    return root


def _subfolders(folder: Path) -> list[str]:
    """Names of those that may be a class or a split; one that is linked and holds the folder itself is none."""
    names = []
    real = os.path.realpath(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_passed_over(entry.name):
                continue
            if leads_to_folder(entry):
                if not (entry.is_symlink() and is_within(real, os.path.realpath(entry.path))):
                    names.append(entry.name)
            elif is_broken_folder_link(entry):
                raise DataError(f"{entry.path}: {BROKEN_LINK}")
    return sorted(names)


def _image_files(folder: Path, visited: dict[FolderId, str]) -> list[Path]:
    files = []
    for source in images_in(str(folder), recursive=True, visited=visited):
        if isinstance(source, Unreadable):
            raise DataError(f"{source.name}: {source.reason}")
        files.append(Path(source))
    return files


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "") if names else "none"
