"""Labelled images as values, whatever they were read from: samples, splits, and a share that is held out."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from regnety.errors import DataError
from regnety.images.sources import StoredImage
from regnety.text import listed

MOST_LISTED = 12
"""Classes that a message names."""


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

    root: Path
    """The data set: a folder, or a file that names its images."""
    classes: tuple[str, ...]
    """The classes in `train`, sorted; a class's position is its output in a model that is trained on them."""
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]

    @classmethod
    def of(cls, root: Path, train: Sequence[Sample], val: Sequence[Sample] = (), test: Sequence[Sample] = ()) -> Self:
        """Splits that a model can be trained on.

        Args:
            root: the data set, which messages begin with.
            train: at least one sample.
            val: samples that choose the best epoch.
            test: samples that the finished model is scored on.

        Raises:
            DataError: `train` has only one class, or another split has a class that `train` does not have.
        """
        classes = tuple(sorted({sample.label for sample in train}))
        if len(classes) < 2:
            raise DataError(f"{root}: has one class to train on ({classes[0]}); training needs at least two")
        for split, samples in (("val", val), ("test", test)):
            if unknown := sorted({sample.label for sample in samples} - set(classes)):
                known = listed(classes, most=MOST_LISTED)
                raise DataError(f"{root}: {split} has the class {unknown[0]!r}, which train does not have: {known}")
        return cls(root, classes, tuple(train), tuple(val), tuple(test))

    def name_of(self, sample: Sample) -> str:
        """The name of a sample within the data set, the same wherever the data set is moved to."""
        folder = self.root if self.root.is_dir() else self.root.parent
        if isinstance(sample.image, Path) and sample.image.is_relative_to(folder):
            return sample.image.relative_to(folder).as_posix()
        return sample.name


def hold_out(samples: Sequence[Sample], fraction: float, *, seed: int) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split samples into (kept, held out): the same share of every class, and at least one where a class has two."""
    generator = random.Random(seed)
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        by_label[sample.label].append(number)
    held: set[int] = set()
    for label in sorted(by_label):  # a fixed order, so that a seed always gives the same split
        members = by_label[label]
        # never all of a class: what is not in training cannot be learned
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held.update(generator.sample(members, count))
    kept = tuple(sample for number, sample in enumerate(samples) if number not in held)
    return kept, tuple(samples[number] for number in sorted(held))
