"""Labelled images as values, whatever they were read from: samples, and the splits of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from regnety.errors import DataError
from regnety.images.sources import StoredImage
from regnety.text import listed

MOST_LISTED = 12
"""Classes that a message names."""
ELSEWHERE = "val-data"
"""What the names of validation samples begin with that are in a place of their own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and its class."""

    image: Path | StoredImage
    """A file, or an image within a larger one."""
    label: str
    """The name of its class, in Unicode's composed form (NFC)."""
    group: str | None = None
    """Samples of one group, as of one person or place, stay on one side of a split; None where there are no groups."""

    @property
    def name(self) -> str:
        """What messages and tables call it: the path of its file, or its name within the larger one."""
        return self.image.name if isinstance(self.image, StoredImage) else str(self.image)


@dataclass(frozen=True, slots=True)
class DataSplits:
    """The samples of each split of a data set. A missing split is empty."""

    root: Path | str
    """The data set: a folder, a file that names its images, or an address."""
    classes: tuple[str, ...]
    """The classes in `train`, sorted; a class's position is its output in a model that is trained on them."""
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    val_root: Path | str | None = None
    """Where `val` is, if in a place of its own."""

    @classmethod
    def of(
        cls,
        root: Path | str,
        train: Sequence[Sample],
        val: Sequence[Sample] = (),
        test: Sequence[Sample] = (),
        *,
        val_root: Path | str | None = None,
    ) -> Self:
        """Splits that a model can be trained on.

        Args:
            root: the data set, which messages begin with.
            train: at least one sample.
            val: samples that choose the best epoch.
            test: samples that the finished model is scored on.
            val_root: where `val` is, if in a place of its own.

        Raises:
            DataError: `train` has only one class, or another split has a class that `train` does not have.
        """
        classes = tuple(sorted({sample.label for sample in train}))
        if len(classes) < 2:
            raise DataError(f"{root}: has one class to train on ({classes[0]}); training needs at least two")
        for split, samples in (("val", val), ("test", test)):
            if unknown := sorted({sample.label for sample in samples} - set(classes)):
                known = listed(classes, most=MOST_LISTED)
                which = f"{root}: {split}" if split == "test" or val_root is None else f"{val_root}:"
                raise DataError(f"{which} has the class {unknown[0]!r}, which train does not have: {known}")
        return cls(root, classes, tuple(train), tuple(val), tuple(test), val_root)

    def name_of(self, sample: Sample) -> str:
        """The name of a sample within the data set, the same wherever the data set is moved to."""
        name = _name_below(self.root, sample)
        if self.val_root is not None:
            # The shorter one: a place may be within the other. Train may have a picture of the same name.
            inner = _name_below(self.val_root, sample)
            return f"{ELSEWHERE}/{inner}" if len(inner) < len(name) else name
        return name


def _name_below(folder: Path | str, sample: Sample) -> str:
    """The name of a sample within a folder or an address; the whole name of one that is not in it."""
    if isinstance(folder, Path) and not folder.is_dir():
        folder = folder.parent
    if isinstance(sample.image, Path):
        inside = isinstance(folder, Path) and sample.image.is_relative_to(folder)
        return sample.image.relative_to(folder).as_posix() if inside else sample.name
    inner = sample.name.removeprefix(f"{str(folder).rstrip('/')}/")
    # the address may be that of a table, whose folder holds the images
    return inner if isinstance(folder, Path) else inner.removeprefix(f"{folder.rpartition('/')[0]}/")
