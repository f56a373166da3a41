"""The classes of data sets that published weights were trained on, in the order of a model's outputs."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from regnety.errors import DataError

_FOLDER = Path(__file__).parent / "labels"


@cache
def labels(name: str = "imagenet-1k") -> tuple[str, ...]:
    """The class names of a data set by index, as the model page prints them: `labels("imagenet-1k")[258]` is Samoyed.

    A name is the first of WordNet's words for the class. Several classes may share one, and only the index tells them
    apart: crane and maillot are two classes each of ImageNet's thousand; the 11,821 names of `imagenet-12k` are
    10,966 different ones, of which 746 are shared by two to four classes.

    Args:
        name: `imagenet-1k`, or `imagenet-12k` for weights whose tag ends in `in12k`.

    Raises:
        DataError: there is no set of that name.
    """
    return _lines(_FOLDER, name)


@cache
def wnids(name: str = "imagenet-1k") -> tuple[str, ...]:
    """The WordNet IDs of the classes of a data set by index, each different; ImageNet's folders are named after them.

    `wnids("imagenet-1k")[134]` is n02012849, the crane that flies; 517 is n03126707, the one that lifts.

    Args:
        name: as for `labels`.

    Raises:
        DataError: there is no set of that name.
    """
    return _lines(_FOLDER / "wnids", name)


@cache
def label_sets() -> tuple[str, ...]:
    """The names that `labels` knows."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.txt")))


def label_set_of(names: Sequence[str]) -> str | None:
    """The data set whose classes some names are, by index; None if they are of no set that `labels` knows.

    Either all are the set's own names or begin with them, as transformers' "tench, Tinca tinca" does; or all are the
    WordNet IDs, as timm's label_names are.
    """
    for known in label_sets():  # files from timm and transformers name classes in ways of their own
        if len(names) == len(labels(known)) and (  # cheap, and enough to tell most models apart
            tuple(names) == wnids(known)
            # with the comma: else hen-of-the-woods would pass for hen
            or all(f"{name}, ".startswith(f"{own}, ") for name, own in zip(names, labels(known), strict=True))
        ):
            return known
    return None


def _lines(folder: Path, name: str) -> tuple[str, ...]:
    # before it becomes a path: a name such as ../x must read no other file
    if name not in label_sets():
        raise DataError(f"no class names called {name!r}; there are {', '.join(label_sets())}")
    return tuple((folder / f"{name}.txt").read_text("utf-8").splitlines())
