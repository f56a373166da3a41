"""The class names of data sets that published weights were trained on, in the order of a model's outputs."""

from functools import cache
from pathlib import Path

from regnety.errors import DataError

_FOLDER = Path(__file__).parent / "labels"


@cache
def labels(name: str = "imagenet-1k") -> tuple[str, ...]:
    """The class names of a data set by index, as the model page prints them: `labels("imagenet-1k")[258]` is Samoyed.

    Two names of ImageNet stand for two classes each (crane, maillot): only the index tells them apart.

    Raises:
        DataError: there is none of that name.
    """
    path = _FOLDER / f"{name}.txt"
    known = sorted(file.stem for file in _FOLDER.glob("*.txt"))
    if name not in known:
        raise DataError(f"no class names called {name!r}; there are {', '.join(known)}")
    return tuple(path.read_text("utf-8").splitlines())
