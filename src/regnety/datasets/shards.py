"""Data sets in files with many samples each: tar shards, and Parquet with the images inside."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from regnety.datasets.parquet_files import PARQUET, ParquetSamples, read_parquet
from regnety.datasets.samples import Sample
from regnety.datasets.split_names import SPLIT_NAMES, UNSPLIT, split_in_path
from regnety.datasets.tar_shards import TAR, read_shard
from regnety.errors import DataError
from regnety.text import counted, listed

SHARDS = (TAR, *PARQUET)


def read_shards(
    files: Sequence[tuple[str, str]], root: Path | str, *, is_folder: bool
) -> tuple[dict[str, tuple[Sample, ...]], list[str]]:
    """The samples of some files by split, and what there is to say about them.

    The split of a Parquet file's rows is its own column's, else that of the file's name (`split_in_path`). Files that
    were named, not found in a folder, are one data set without splits if they are all of one split.

    Args:
        files: path or address of each, and its name in messages; of one kind.
        root: the folder that holds them all.
        is_folder: whether they were found in a folder.

    Raises:
        DataError: they are of two kinds, one has no split in its name but others do, or one cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    kinds = {_is_tar(name) for _, name in files}
    if len(kinds) > 1:
        raise DataError(f"{root}: has tar shards and Parquet files; name those of one kind: '{root}/*{TAR}'")
    # not by length: of a pattern in the current folder, `.`, the names have no such beginning
    prefix = f"{str(root).rstrip('/')}/"
    named = {name: split_in_path(name.removeprefix(prefix)) for _, name in files}
    if not is_folder and len({*named.values()}) == 1:
        named = dict.fromkeys(named)
    splits: dict[str, list[Sample]] = defaultdict(list)
    notices: list[str] = []
    unlabelled: dict[str, int] = defaultdict(int)
    for place, name in files:
        if _is_tar(name):
            found = ParquetSamples({UNSPLIT: tuple(read_shard(place, name))})
        else:
            found = read_parquet(place, name)
        for split, samples in found.splits.items():
            splits[named[name] or UNSPLIT if split == UNSPLIT else split] += samples
        notices += found.notices
        unlabelled[name] += found.unlabelled
    if not any(splits.values()):
        what = files[0][1] if len(files) == 1 else root
        raise DataError(f"{what}: no image has a label, of {counted(sum(unlabelled.values()), 'row')}")
    if UNSPLIT in splits and len(splits) > 1:
        without = [name for name, split in named.items() if split is None]
        others = listed([split for split in splits if split != UNSPLIT])
        raise DataError(f"{without[0]}: is of no split by its name, others here are of {others}; move it away")
    for name, count in unlabelled.items():
        if count:
            notices.append(f"{name}: leaves out {counted(count, 'image')} without a label")
    return {split: tuple(splits[split]) for split in (*SPLIT_NAMES, *splits) if split in splits}, notices


def _is_tar(name: str) -> bool:
    return name.partition("?")[0].lower().endswith(TAR)
