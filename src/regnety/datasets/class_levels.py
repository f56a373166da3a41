"""Whether folders are classes, or stand a level above them, as `2024/cat/1.jpg`.

Below a class every depth counts: `cat/close/1.jpg` is a cat. The same tree with years above is a mistake, which would
train years. Names tell them apart: dates and numbered parts (`batch_2`) are no classes where no image is in them
directly and what they hold is not numbered too. Nor is a folder a class that holds folders named like the others.
"""

import re
from collections.abc import Mapping, Set

from regnety.errors import DataError
from regnety.text import listed

_MONTHS = (
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|"
    "aug(ust)?|sep(t|tember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DATE = re.compile(
    r"(19|20)\d\d([-_. ]?\d\d){0,2}|\d\d?[-_.]\d\d?[-_.](\d\d){1,2}|"
    rf"({_MONTHS})[-_ ]*((19|20)\d\d)?|(19|20)\d\d[-_ ]*({_MONTHS})",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(batch|part|fold|chunk|shard|session|day|week|round|roll|shoot|series|upload|export)s?[-_ ]*\d+|"
    r"\d{3}(canon|apple|_?pana|msdcf|nikon|olymp)\w*",  # the folders that cameras make
    re.IGNORECASE,
)


def check_levels(root: str, folders: Mapping[str, Set[str] | None]) -> None:
    """Refuse class folders that are no classes.

    Args:
        root: the folder that holds them, which the message begins with.
        folders: for each class folder the names of the folders in it that hold images; None if it holds an
            image itself.

    Raises:
        DataError: they stand above the classes.
    """
    deep = {name: inner for name, inner in folders.items() if inner}
    for name, inner in deep.items():
        if inner <= folders.keys() - {name}:
            raise DataError(
                f"{root}: {name} holds folders that are named like the classes beside it ({_named(inner)}); {_ADVICE}"
            )
    if len(deep) < len(folders):
        return
    inside = {name for inner in deep.values() for name in inner}
    if all(map(_is_no_class, deep)) and not any(map(_is_numbered, inside)):
        raise DataError(
            f"{root}: its folders {_named(deep.keys())} are a level above those of the classes ({_named(inside)}); "
            f"{_ADVICE}"
        )


_ADVICE = "put each class's photographs into one folder, or list them in a table of path,label (.csv)"


def _named(names: Set[str]) -> str:
    return listed(sorted(names))


def _is_no_class(name: str) -> bool:
    return bool(_DATE.fullmatch(name) or _PART.fullmatch(name))


def _is_numbered(name: str) -> bool:
    return any(map(str.isdecimal, name))
