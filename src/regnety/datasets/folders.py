"""Image folders: one sub-folder per class, below `train/`, `val/` and `test/` or directly in the data folder."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from regnety.datasets.samples import Sample
from regnety.datasets.split_names import SPLIT_NAMES, UNSPLIT
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

FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
"""What the folder of a split is called whatever is in it; `SPLIT_NAMES` are taken for one that has folders."""


def read_folder(root: Path) -> tuple["FolderSplits", list[str]]:
    """The splits of a folder, and the notices about them, which reading a split adds to."""
    notices: list[str] = []
    return FolderSplits(root, notices), notices


class FolderSplits(Mapping[str, tuple[Sample, ...]]):
    """The splits of a folder: `train`, `val` and `test` where it has folders for them, else class folders alone.

    They are read when they are looked up, once, since a command may need one split of a large data set. Any other
    folder in it can be looked up as a split too.

    Args:
        root: the folder.
        notices: what reading has to say is added to it.

    Raises:
        DataError: a split's folder is a broken link.
    """

    def __init__(self, root: Path, notices: list[str]) -> None:
        self._root = root
        self._notices = notices
        self._folders = {split: folder for split in SPLIT_NAMES if (folder := _split_folder(root, split)) is not None}
        if not self._folders:
            self._folders = {UNSPLIT: root}
        self._read: dict[str, tuple[Sample, ...]] = {}

    def __getitem__(self, split: str) -> tuple[Sample, ...]:
        """Read a split.

        Raises:
            DataError: it cannot be read as class folders.
        """
        if split not in self._read:
            if (folder := self._folder(split)) is None:
                raise KeyError(split)
            self._read[split] = read_class_folders(folder)
        return self._read[split]

    def __contains__(self, split: object) -> bool:
        return isinstance(split, str) and self._folder(split) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)

    def _folder(self, split: str) -> Path | None:
        if split in self._folders:
            return self._folders[split]
        return self._root / split if split and (self._root / split).is_dir() else None


def _split_folder(root: Path, split: str) -> Path | None:
    """The folder of a split, if there is one.

    Raises:
        DataError: it is a broken link.
    """
    for name in FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
        # A broken link would otherwise be taken for a missing split, and another one scored instead.
        if (root / name).is_symlink() and not (root / name).exists():
            raise DataError(f"{root / name}: {BROKEN_LINK}")
    for name in sorted(os.listdir(root)):
        # Other names may be those of classes, as training beside running: a split has folders.
        if name.lower() in SPLIT_NAMES[split] and (root / name).is_dir() and _subfolders(root / name):
            return root / name
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
