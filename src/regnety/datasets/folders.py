"""Image folders: one sub-folder per class, below `train/`, `val/` and `test/` or directly in the data folder."""

import os
import unicodedata
from collections import defaultdict
from pathlib import Path

from regnety.datasets.samples import MOST_LISTED, DataSplits, Sample
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
from regnety.text import listed

SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
"""Split to the names that its folder may have."""


def read_training_folder(root: str | Path) -> DataSplits:
    """Read DIR/train (or class folders directly in DIR), and, where they exist, DIR/val or DIR/validation and DIR/test.

    Raises:
        DataError: there is nothing to train on, or val or test has a class that train does not have.
    """
    root = _existing_folder(root)
    train = split_folder(root, "train")
    others = {split: split_folder(root, split) for split in ("val", "test")}
    if train is None:  # val/ and test/ alone would otherwise be read as two classes of these names
        for folder in filter(None, others.values()):
            raise DataError(f"{root}: has {folder.name}/ but no train/")
    folders = (train or root, *others.values())
    return DataSplits.of(root, *(read_class_folders(folder) if folder else () for folder in folders))


def read_evaluation_folder(root: str | Path, split: str | None = None) -> tuple[Sample, ...]:
    """The samples to evaluate on: those of `test`, else of `val`, else of class folders directly in the data folder.

    Args:
        root: the data folder.
        split: the name of another split; `.` is the folder itself.

    Raises:
        DataError: no such split, or no images.
    """
    root = _existing_folder(root)
    if split is not None:
        folder = split_folder(root, split) or (root / split if (root / split).is_dir() else None)
        if folder is None:
            there = listed(_subfolders(root), most=MOST_LISTED) or "none"
            raise DataError(f"{root}: has no folder for the split {split!r}; it has {there}")
        return read_class_folders(folder)
    return read_class_folders(split_folder(root, "test") or split_folder(root, "val") or root)


def split_folder(root: Path, split: str) -> Path | None:
    """The folder of a split, if there is one.

    Raises:
        DataError: it is a broken link.
    """
    for name in SPLIT_FOLDERS.get(split, (split,)):
        if (root / name).is_dir():
            return root / name
        # A broken link would otherwise be taken for a missing split, and another one scored instead.
        if (root / name).is_symlink() and not (root / name).exists():
            raise DataError(f"{root / name}: {BROKEN_LINK}")
    return None


def read_class_folders(folder: Path) -> tuple[Sample, ...]:
    """Every image below every class folder, sorted by class and path. Links to folders are followed.

    Raises:
        DataError: there is no class folder, one has no images or cannot be read, a link is broken, or two classes
            share a folder.
    """
    files: dict[str, list[Path]] = defaultdict(list)
    owners: dict[FolderId, tuple[str, str]] = {}
    visited: dict[str, dict[FolderId, str]] = defaultdict(dict)
    for name in _subfolders(folder):
        # macOS hands out names in decomposed form (NFD): two folders that differ in that alone are one class.
        label = unicodedata.normalize("NFC", name)
        if folder_id(str(folder / name)) in visited[label]:  # a second link of the same class
            continue
        found = _image_files(folder / name, visited[label])
        if not found:
            raise DataError(f"{folder / name}: the class folder has no images ({', '.join(SUFFIXES)})")
        files[label] += found
    for label, folders in visited.items():  # links may lead two classes to one folder, but an image has one class
        for identity, place in folders.items():
            other, first = owners.setdefault(identity, (label, place))
            if other != label:
                raise DataError(
                    f"{place}: is the same folder as {first}, "
                    f"so its images would be both {other!r} and {label!r}; remove one of the links"
                )
    if not files:
        raise DataError(f"{folder}: has no class folders; expected one sub-folder per class, with its images in it")
    return tuple(Sample(path, label) for label in sorted(files) for path in sorted(files[label]))


def _existing_folder(root: str | Path) -> Path:
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: {'is a file, not a' if root.exists() else 'there is no such'} folder")
    return root


def _subfolders(folder: Path) -> list[str]:
    """Names of those that may be a class or a split."""
    names = []
    real = os.path.realpath(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_passed_over(entry.name):
                continue
            if leads_to_folder(entry):
                # a link to a folder around this one would make everything here part of one class
                if not (entry.is_symlink() and is_within(real, os.path.realpath(entry.path))):
                    names.append(entry.name)
            elif is_broken_folder_link(entry):
                raise DataError(f"{entry.path}: {BROKEN_LINK}")
    return sorted(names)


def _image_files(folder: Path, visited: dict[FolderId, str]) -> list[Path]:
    files = []
    for source in images_in(str(folder), recursive=True, visited=visited):
        if isinstance(source, Unreadable):  # a class with files missing should not be trained on in silence
            raise DataError(f"{source.name}: {source.reason}")
        files.append(Path(source))
    return files
