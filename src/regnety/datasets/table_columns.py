"""Which column of a table is which: the names that people give to path, label, split and group."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from regnety.errors import DataError
from regnety.text import listed

NAMES = {
    "path": (
        *("path", "filename", "file", "file_name", "filepath", "file_path", "image", "image_path", "imagepath"),
        *("img", "img_path", "image_name", "image_file", "image_id", "imageid", "photo"),
    ),
    # true_label comes first: where a table of answers has it, as `mistakes.csv`, its `label` is what a model said
    "label": (
        "true_label",
        "label",
        "class",
        "category",
        "target",
        "class_name",
        "classname",
        "label_name",
        "labels",
        "predictionstring",
    ),
    "split": ("split", "set", "subset", "partition"),
    "group": ("group", "group_id", "groups"),
}
"""Names of the columns, in any case; a space, a dot or a hyphen is an underscore. The first that is there is taken."""
CERTAIN = ("path", "true_label", "label", "split", "group")
"""Of two columns of one kind these are taken; between others there is no choosing."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The number of each column, None where there is none."""

    path: int
    label: int
    split: int | None
    group: int | None


def find_columns(names: Sequence[str], table: str) -> Columns:
    """The columns of a table by the names in its first line.

    Raises:
        DataError: there is no path or label, or several columns could be it; the message begins with the table.
    """
    known = [name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_") for name in names]
    places: dict[str, int | None] = {}
    for kind in (field.name for field in fields(Columns)):
        found = [known.index(name) for name in NAMES[kind] if name in known]
        if len(found) > 1 and known[found[0]] not in CERTAIN:
            which = listed([names[place] for place in found])
            raise DataError(f"{table}: which column is the {kind}: {which}? Name that one {kind!r}")
        if found and known.count(known[found[0]]) > 1:
            raise DataError(f"{table}: has two columns named {names[found[0]]!r}")
        places[kind] = found[0] if found else None
    for kind in ("path", "label"):
        if places[kind] is None:
            there = listed([name.strip() for name in names], most=12) or "none"
            raise DataError(
                f"{table}: has no column for the {kind}; its first line must name it {kind!r} "
                f"(or {', '.join(NAMES[kind][1:4])}); the columns are: {there}"
            )
    return Columns(**places)  # type: ignore[arg-type]  # path and label are there
