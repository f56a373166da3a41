"""A data set of labelled images, whatever it was read from. Every command that takes one reads it here."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from regnety.datasets.folders import FolderSplits, has_class_folders, split_folder
from regnety.datasets.label_lists import KAGGLE, read_listed_folder
from regnety.datasets.places import files_below, files_of, folder_of, is_address, is_pattern, opened
from regnety.datasets.remote_images import class_folders_at
from regnety.datasets.samples import MOST_LISTED, DataSplits, Sample
from regnety.datasets.shards import SHARDS, read_shards
from regnety.datasets.split_names import UNSPLIT, split_named
from regnety.datasets.table_rows import samples_of_rows
from regnety.datasets.tables import TEXT_TABLES, decoded, read_text_table, text_rows
from regnety.datasets.web_files import fetched
from regnety.errors import DataError, RecipeError
from regnety.images.formats import SUFFIXES
from regnety.images.listing import images_in
from regnety.remote import WEB
from regnety.text import listed

FORMS = (
    "a folder with a folder for each class, a table of path and label (.csv, .tsv, .parquet), tar shards (.tar), "
    "or Parquet with the images inside"
)
"""What a data set may be."""
ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_UNPACK = "; unpack this archive"


@dataclass(frozen=True, slots=True)
class DataSet:
    """Labelled images by split."""

    root: Path | str
    """The folder or the file, or an address; messages begin with it."""
    splits: Mapping[str, tuple[Sample, ...]]
    """`train`, `val`, `test` and others that it names, or `UNSPLIT` alone. Those of a folder are read when they are
    looked up, and any folder in it is a split too."""
    notices: Sequence[str]
    """What a user should know and need not mend, each a line that begins with a file."""
    val_root: Path | str | None = None
    """Where its split `val` is, if in a place of its own."""

    @property
    def has_class_folders(self) -> bool:
        """Whether its classes are folders on this disk, so that what is written there may become one."""
        return isinstance(self.splits, FolderSplits)

    def check_output(self, folder: Path) -> None:
        """Refuse an output that would be read as a class the next time.

        Raises:
            RecipeError: it is within class folders, or is one.
        """
        root = Path(self.root)
        if not self.has_class_folders or "train" in self.splits:
            return
        inner, outer = folder.resolve(), root.resolve()
        if outer in (inner, *inner.parents):
            raise RecipeError(
                f"{folder}: is within the data, {root}, where it would be read as a class; name another output"
            )

    @property
    def empty_classes(self) -> tuple[Path, ...]:
        """Class folders without images, of the splits that have been read; with `keep_empty` alone there are any."""
        return tuple(self.splits.empty) if isinstance(self.splits, FolderSplits) else ()

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
        train, val, test = (self.splits[name] if name in there else () for name in names)
        if isinstance(self.splits, FolderSplits):
            self.splits.check_several(names[0])
        return DataSplits.of(self.root, train, val, test, val_root=self.val_root)

    def validation(self) -> tuple[Sample, ...]:
        """The samples that choose the best epoch, of a data set that is there for them: `val`, or its only split.

        Raises:
            DataError: it has several splits and no `val`.
        """
        there = [*self.splits]
        if "val" not in there and len(there) > 1:
            raise DataError(f"{self.root}: has {listed(there)} but no {self._of_kind('val')}; name one of them")
        return self.splits["val" if "val" in there else there[0]]

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


def read_data_set(
    data: str | Path,
    *,
    val_data: str | Path | None = None,
    labels_file: str | Path | None = None,
    keep_empty: bool = False,
    quiet: bool = False,
) -> DataSet:
    """Read a data set.

        read_data_set("photos")
        read_data_set("shards/train-{0000..0031}.tar")
        read_data_set("hf://datasets/owner/name")

    Args:
        data: a folder with a folder for each class, below `train/`, `val/` and `test/` or directly; a table of path and
            label, and if it has them split and group (`.csv`, `.tsv`, `.parquet`), with paths relative to its folder;
            tar shards of images with their class beside them (WebDataset), or Parquet files with the images inside (the
            Hub's), as one file, a pattern (`{0000..0031}`, `*`) or a folder of them. Each may be at an address, of
            fsspec (s3:// and others) or, but for folders, of the web.
        val_data: another one, whose `val`, or whose only split, is the split `val` of this one, which has none.
        labels_file: of a folder without class folders the list of its images' classes (`datasets.label_lists`).
        keep_empty: class folders without images are no error; `DataSet.empty_classes` names them.
        quiet: no progress while a file of the web is fetched.

    Raises:
        DataError: it is none of these, or something in it is wrong; one line that says where.
        MissingExtraError: Parquet needs pyarrow, a store fsspec, and it is not installed.
    """
    if not str(data):  # a shell's variable that is not set; Path("") would be this folder
        raise DataError("the name of the data set is empty")
    if val_data is not None:
        read = partial(read_data_set, keep_empty=keep_empty, quiet=quiet)
        return _with_validation(read(data, labels_file=labels_file), read(val_data))
    if labels_file is not None:
        return _listed_folder(data, Path(labels_file))
    if isinstance(data, str) and is_address(data):
        return _at_address(data, quiet=quiet)
    path = Path(data)
    if path.is_dir():
        return _folder(path, keep_empty=keep_empty)
    if path.exists():
        return _file(path)
    if is_pattern(str(data)):
        files = files_of(str(data))
        _check_shards(files, str(data))
        root = Path(folder_of(str(data)))
        return DataSet(root, *read_shards([(file, file) for file in files], root, is_folder=False))
    raise DataError(f"{data}: there is no such file or folder")


def _with_validation(data: DataSet, validation: DataSet) -> DataSet:
    """A data set whose split `val` is another one."""
    if "val" in [*data.splits]:
        raise DataError(f"{data.root}: has validation pictures of its own, so {validation.root} cannot be them too")
    samples, notices = validation.validation(), (*data.notices, *validation.notices)
    if isinstance(data.splits, FolderSplits):
        data.splits.add("val", samples)
        return replace(data, notices=notices, val_root=validation.root)
    return DataSet(data.root, {**data.splits, "val": samples}, notices, validation.root)


def _folder(path: Path, *, keep_empty: bool) -> DataSet:
    # Most folders hold images, of which the first is found at once; the whole of another one is looked at.
    if next(images_in(str(path), recursive=True), None) is None:
        files = files_below(path, SHARDS)
        if files:
            return DataSet(path, *read_shards([(file, file) for file in files], path, is_folder=True))
    flat = split_folder(path, "val") or path
    lists = [place / KAGGLE for place in (path, path.parent) if (place / KAGGLE).is_file()]
    if not lists or has_class_folders(flat):
        return DataSet(path, FolderSplits(path, keep_empty=keep_empty), ())
    samples, notices = read_listed_folder(flat, lists[0])
    given = {UNSPLIT if flat == path else "val": samples}
    return DataSet(path, FolderSplits(path, given, keep_empty=keep_empty), notices)


def _listed_folder(data: str | Path, labels_file: Path) -> DataSet:
    path = Path(data)
    if (isinstance(data, str) and is_address(data)) or not path.is_dir():
        raise DataError(
            f"{data}: is no folder of images on this disk, for whose classes {labels_file} could be the list"
        )
    folder = split_folder(path, "val") or path
    samples, notices = read_listed_folder(folder, labels_file)
    return DataSet(path, {UNSPLIT: samples}, notices)


def _file(path: Path) -> DataSet:
    suffix = path.suffix.lower()
    if suffix in TEXT_TABLES:
        return DataSet(path, *read_text_table(path))
    if suffix in SHARDS:
        return DataSet(path, *read_shards([(str(path), str(path))], path.parent, is_folder=False))
    raise DataError(f"{path}: is no data set; one is {FORMS}{_UNPACK if suffix in ARCHIVES else ''}")


def _at_address(data: str, *, quiet: bool) -> DataSet:
    files = files_of(data) if is_pattern(data) else [data]
    suffix = _suffix(data)
    folder = folder_of(data)
    if suffix in TEXT_TABLES and not is_pattern(data):
        rows = text_rows(decoded(_bytes(data, quiet=quiet), data), data)
        return DataSet(data, *samples_of_rows(data, folder, rows))
    if is_pattern(data) or suffix in SHARDS:
        _check_shards(files, data)
        places = [(str(fetched(file, quiet=quiet)) if file.lower().startswith(WEB) else file, file) for file in files]
        return DataSet(folder, *read_shards(places, folder, is_folder=False))
    if data.lower().startswith(WEB):
        raise DataError(f"{data}: is no data set; of the web one is a table (.csv, .tsv) or shards (.tar, .parquet)")
    if suffix in ARCHIVES:
        raise DataError(f"{data}: is no data set; one is {FORMS}{_UNPACK}")
    found = files_below(data, (*SHARDS, *SUFFIXES))
    shards = [file for file in found if file.lower().endswith(SHARDS)]
    if shards:
        return DataSet(data, *read_shards([(file, file) for file in shards], data, is_folder=True))
    if not found:
        raise DataError(f"{data}: there is no such file or folder, or nothing in it is an image or a shard")
    return DataSet(data, class_folders_at(data, found), ())


def _bytes(address: str, *, quiet: bool) -> bytes:
    if address.lower().startswith(WEB):
        return fetched(address, quiet=quiet).read_bytes()
    with opened(address) as file:
        return file.read()


def _check_shards(files: Sequence[str], data: str) -> None:
    for file in files:
        if _suffix(file) not in SHARDS:
            raise DataError(f"{data}: {file} is no shard (.tar) and no Parquet file; a pattern names such files alone")


def _suffix(place: str) -> str:
    path = place.partition("?")[0] if place.lower().startswith(WEB) else place
    return posixpath.splitext(path)[1].lower()
