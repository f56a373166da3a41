"""Image folders: one sub-folder per class, below `train/`, `val/` and `test/` or directly in the data folder."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from regnety.datasets.class_levels import check_levels
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
from regnety.text import listed

FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
"""What the folder of a split is called whatever is in it; `SPLIT_NAMES` are taken for one that has folders."""


class FolderSplits(Mapping[str, tuple[Sample, ...]]):
    """The splits of a folder: `train`, `val` and `test` where it has folders for them, else class folders alone.

    They are read when they are looked up, once, since a command may need one split of a large data set. Any other
    folder in it can be looked up as a split too.

    Args:
        root: the folder.
        given: splits that were read by other means. Folders beside them without class folders are no splits then:
            the test pictures of ImageNet have no classes.
        keep_empty: a class folder without images is no error but listed in `empty`.

    Raises:
        DataError: a split's folder is a broken link.
    """

    def __init__(
        self, root: Path, given: Mapping[str, tuple[Sample, ...]] | None = None, *, keep_empty: bool = False
    ) -> None:
        self.empty: list[Path] = []
        """Class folders without images, of the splits that have been read."""
        self._keep_empty = keep_empty
        self._root = root
        self._folders = {split: folder for split in SPLIT_NAMES if (folder := split_folder(root, split)) is not None}
        if not self._folders:
            self._folders = {UNSPLIT: root}
        self._read = dict(given or {})
        self._elsewhere: set[str] = set()
        if given:
            self._folders = {
                split: folder for split, folder in self._folders.items() if split in given or has_class_folders(folder)
            }

    def __getitem__(self, split: str) -> tuple[Sample, ...]:
        """Read a split.

        Raises:
            DataError: it cannot be read as class folders.
        """
        if split not in self._read:
            if (folder := self._folder(split)) is None:
                raise KeyError(split)
            self._read[split] = read_class_folders(folder, empty=self.empty if self._keep_empty else None)
        return self._read[split]

    def add(self, split: str, samples: tuple[Sample, ...]) -> None:
        """Have a split whose samples are in another place."""
        self._read[split] = samples
        self._elsewhere.add(split)

    def check_several(self, split: str) -> None:
        """Refuse one class whose folder holds only folders: they may be the classes.

        Raises:
            DataError: it is so; the message says which folder to name.
        """
        samples = self[split]
        if samples[0].label != samples[-1].label:
            return
        folder = self._folders[split] / samples[0].label
        inner = _folders_with_images(folder, [sample.image for sample in samples if isinstance(sample.image, Path)])
        if inner is not None and len(inner) > 1:
            what = f"has one class to train on ({folder.name}), with the folders {listed(sorted(inner))} in it"
            raise DataError(f"{self._root}: {what}; if these are the classes, name {folder}")

    def __contains__(self, split: object) -> bool:
        return isinstance(split, str) and (split in self._elsewhere or self._folder(split) is not None)

    def __iter__(self) -> Iterator[str]:
        yield from self._folders
        yield from self._elsewhere

    def __len__(self) -> int:
        return len(self._folders) + len(self._elsewhere)

    def _folder(self, split: str) -> Path | None:
        if split in self._folders:
            return self._folders[split]
        return self._root / split if split and (self._root / split).is_dir() else None


def split_folder(root: Path, split: str) -> Path | None:
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


def read_class_folders(folder: Path, *, empty: list[Path] | None = None) -> tuple[Sample, ...]:
    """Every image below every class folder, sorted by class and path. Links to folders are followed.

    Args:
        folder: which holds the class folders.
        empty: class folders without images are added to it; None refuses them.

    Raises:
        DataError: there is no class folder, one has no images or cannot be read, a link is broken, two classes
            share a folder, or they stand a level above the classes (`check_levels`).
    """
    files: dict[str, list[Path]] = defaultdict(list)
    by_folder: dict[str, list[Path]] = {}
    without: list[Path] = []
    owners: dict[FolderId, tuple[str, str]] = {}
    visited: dict[str, dict[FolderId, str]] = defaultdict(dict)
    for name in _subfolders(folder):
        # macOS hands out names in decomposed form (NFD): two folders that differ in that alone are one class.
        label = unicodedata.normalize("NFC", name)
        if folder_id(str(folder / name)) in visited[label]:  # a second link of the same class
            continue
        found = _image_files(folder / name, visited[label])
        if not found and empty is None:
            raise _without_images(folder / name)
        if not found:
            without.append(folder / name)
            continue
        files[label] += found
        by_folder[name] = found
    for label, folders in visited.items():  # links may lead two classes to one folder, but an image has one class
        for identity, place in folders.items():
            other, first = owners.setdefault(identity, (label, place))
            if other != label:
                raise DataError(
                    f"{place}: is the same folder as {first}, "
                    f"so its images would be both {other!r} and {label!r}; remove one of the links"
                )
    if without and not files:
        raise _without_images(without[0])
    if empty is not None:
        empty += without
    if not files:
        flat = next(images_in(str(folder), recursive=False), None) is not None
        raise DataError(
            f"{folder}: has no class folders; expected one sub-folder per class, with its images in it"
            f"{', or the list of their classes: --labels-file (labels_file=)' if flat else ''}"
        )
    check_levels(str(folder), {name: _folders_with_images(folder / name, found) for name, found in by_folder.items()})
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


def has_class_folders(folder: Path) -> bool:
    """Whether there is a folder in it that may be a class."""
    return bool(_subfolders(folder))


def _without_images(folder: Path) -> DataError:
    return DataError(f"{folder}: the class folder has no images ({', '.join(SUFFIXES)})")


def _folders_with_images(folder: Path, found: list[Path]) -> set[str] | None:
    """Names of the folders in a class folder that hold images; None if it holds one itself."""
    if found[0].parent == folder:  # a folder's files come before those of its sub-folders
        return None
    start = len(folder.parts)
    return {image.parts[start] for image in found}


def _image_files(folder: Path, visited: dict[FolderId, str]) -> list[Path]:
    files = []
    for source in images_in(str(folder), recursive=True, visited=visited):
        if isinstance(source, Unreadable):  # a class with files missing should not be trained on in silence
            raise DataError(f"{source.name}: {source.reason}")
        files.append(Path(source))
    return files
