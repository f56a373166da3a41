"""Sampled designs as rows of CSV, JSON lines and Parquet."""

import json
from collections.abc import Iterator
from typing import Any

from regnety.designspace.designs import COUNTS, STAGE_COLUMNS, Designs, linear_columns

SHARED = ("se_ratio", "stem_width", "stem_stride")
"""Numbers that all designs of a space have."""
SIZES = {"image_size": "text", "num_classes": "integer"}
"""What macs and activations are counted for."""


def row_kinds(designs: Designs) -> dict[str, str]:
    """Column to its kind, as in `cli.output.rows`: `draw`, `design`, the design's numbers, its stages, its counts."""
    linear = dict.fromkeys(linear_columns(), "real") | {"depth": "integer", "w0": "integer", "group_width": "integer"}
    kinds = {"draw": "count", "design": "text", **(linear if designs.space.is_linear else {"depth": "integer"})}
    kinds |= {"se_ratio": "real", "stem_width": "integer", "stem_stride": "integer", "num_stages": "integer"}
    return kinds | dict.fromkeys(STAGE_COLUMNS, "text") | SIZES | dict.fromkeys(COUNTS, "count")


def plain_rows(designs: Designs) -> Iterator[dict[str, Any]]:
    """A row for each design, its stages as lists and `design` as a table that `design_from_dict` reads."""
    space = designs.space
    shared = {name: getattr(space, name) for name in SHARED}
    for number in range(len(designs)):
        row = designs.row(number)
        row.setdefault("depth", sum(row["stage_depths"]))
        size = space.image_size if isinstance(space.image_size, int) else list(space.image_size)
        row |= {"design": designs[number].as_dict(), **shared, "image_size": size, "num_classes": space.num_classes}
        yield {name: row[name] for name in row_kinds(designs)}


def flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """The same in single values: stages joined, as in `24:56:152:368`, `design` as JSON."""
    size = row["image_size"]
    return {
        **row,
        **{name: ":".join(map(str, row[name])) for name in STAGE_COLUMNS},
        "design": json.dumps(row["design"]),
        "image_size": str(size) if isinstance(size, int) else "x".join(map(str, size)),
    }
