"""A data set of labelled images, whatever it was read from. Every command that takes one reads it here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regnety.datasets.folders import read_folder
from regnety.datasets.samples import MOST_LISTED, DataSplits, Sample
from regnety.datasets.split_names import UNSPLIT, split_named
from regnety.datasets.tables import TEXT_TABLES, read_text_table
from regnety.errors import DataError
from regnety.text import listed

FORMS = "a folder with a folder for each class, or a table of path and label (.csv, .tsv)"
"""What a data set may be."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Labelled images by split."""

    root: Path | str
    """The folder or the file, or an address; messages begin with it."""
    splits: Mapping[str, tuple[Sample, ...]]
    """`train`, `val`, `test` and others that it names, or `UNSPLIT` alone. Those of a folder are read when they are
    looked up, and any folder in it is a split too."""
    notices: Sequence[str]
    """What a user should know and need not mend, each a sentence that begins with the root or a file. It is complete
    once the splits have been read."""

    def training(self) -> DataSplits:
        """The splits that a model is trained on: `train`, or all of a data set without splits; `val` and `test`.

        Raises:
            DataError: there is nothing to train on or one class alone, or val or test has a class that train does not
                have.
        """
        there = [*self.splits]
        if "train" not in there and UNSPLIT not in there:  # val/ alone would otherwise be read as a class
            raise DataError(f"{self.root}: has {self._of_kind(there[0])} but no {self._of_kind('train')}")
        names = ("train" if "train" in there else UNSPLIT, "val", "test")
        return DataSplits.of(self.root, *(self.splits[name] if name in there else () for name in names))

    def evaluation(self, split: str | None = None) -> tuple[Sample, ...]:
        """The samples to evaluate on: those of `test`, else of `val`, else all of a data set without splits.

        Args:
            split: the name of another split.

        Raises:
            DataError: no such split, or no images.
        """
        return self.splits[self.evaluated(split)]

    def evaluated(self, split: str | None = None) -> str:
        """The name of the split that `evaluation` takes.

        Raises:
            DataError: no such split.
        """
        there = [*self.splits]
        if split is not None:
            for name in (split, split_named(split)):
                if name in self.splits:
                    return name
            has = "is not split" if there == [UNSPLIT] else f"has {listed(there, most=MOST_LISTED)}"
            raise DataError(f"{self.root}: has no split {split!r}; it {has}")
        for name in ("test", "val", UNSPLIT):
            if name in there:
                return name
        raise DataError(
            f"{self.root}: has neither test nor val, only {listed(there)}; "
            f"--split {there[0]} (split={there[0]!r}) measures on it"
        )

    def _of_kind(self, split: str) -> str:
        return f"{split}/" if isinstance(self.root, Path) and self.root.is_dir() else f"the split {split}"


def read_data_set(data: str | Path) -> DataSet:
    """Read a data set.

    Args:
        data: a folder with a folder for each class, below `train/`, `val/` and `test/` or directly; or a table of path
            and label, and if it has them split and group (`.csv`, `.tsv`), with paths relative to its folder.

    Raises:
        DataError: it is none of these, or something in it is wrong; one line that says where.
    """
    path = Path(data)
    if path.is_dir():
        return DataSet(path, *read_folder(path))
    if not path.exists():
        raise DataError(f"{data}: there is no such file or folder")
    if path.suffix.lower() in TEXT_TABLES:
        return DataSet(path, *read_text_table(path))
    raise DataError(f"{data}: is no data set; one is {FORMS}")
