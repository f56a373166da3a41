"""What the splits of a data set are called: by folders, by a column of a table, in the names of files."""

import re

UNSPLIT = "."
"""The only split of a data set that is not split."""
SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "validation", "valid"),
    "test": ("test", "testing"),
}
"""Each split, and what it may be called, in any case; the first name comes first where there are two."""
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_named(name: str) -> str:
    """The split that a name means: `Validation` is val. Other names mean themselves."""
    name = name.strip()
    return _SPLIT_OF.get(name.lower(), name)


def split_in_path(path: str) -> str | None:
    """The split in the path of a file with many samples; None if there is none.

    `data/train-00000-of-00002.parquet`, `imagenet1k-validation-07.tar` and `val/0000.tar` have one. The last word
    that is the name of a split counts, as folders around a data set may have any name.
    """
    words = re.split(r"[^A-Za-z]+", path)
    return next((_SPLIT_OF[word.lower()] for word in reversed(words) if word.lower() in _SPLIT_OF), None)
