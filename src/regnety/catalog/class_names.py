"""The class names of data sets that published weights were trained on, in the order of a model's outputs."""

from functools import cache
from pathlib import Path

from regnety.errors import DataError

_FOLDER = Path(__file__).parent / "labels"


@cache
def labels(name: str = "imagenet-1k") -> tuple[str, ...]:
    """The class names of a data set by index, as the model page prints them: `labels("imagenet-1k")[258]` is Samoyed.

    A name is the first of WordNet's words for the class, so it may stand for more than one, which only the index tells
    apart: of ImageNet's thousand, crane and maillot stand for two classes each; of the 11,821 names of `imagenet-12k`,
    10,966 are distinct, and 746 of them stand for two to four classes, 1,601 in all.

    Args:
        name: `imagenet-1k`, or `imagenet-12k` for weights whose tag ends in `in12k`.

    Raises:
        DataError: there is none of that name.
    """
    if name not in label_sets():
        raise DataError(f"no class names called {name!r}; there are {', '.join(label_sets())}")
    return tuple((_FOLDER / f"{name}.txt").read_text("utf-8").splitlines())


@cache
def label_sets() -> tuple[str, ...]:
    """The names that `labels` knows."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.txt")))
