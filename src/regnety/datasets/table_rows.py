"""Rows of a table as samples: each image once, with one label, and at a place that is there."""

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from regnety.datasets.places import is_address
from regnety.datasets.remote_images import ImageAtAddress
from regnety.datasets.samples import Sample
from regnety.datasets.split_names import SPLIT_NAMES, UNSPLIT, split_named
from regnety.errors import DataError
from regnety.text import counted, excerpt


class Row(NamedTuple):
    """A row as it is written; `split` and `group` are None where the table has no such column."""

    place: str
    path: str
    label: str
    split: str | None = None
    group: str | None = None


def samples_of_rows(
    table: str, folder: Path | str, rows: Iterable[Row]
) -> tuple[dict[str, tuple[Sample, ...]], list[str]]:
    """The samples by split, in the order of the rows, and what there is to say about them.

    Args:
        table: its name, which messages begin with.
        folder: what paths are relative to, here or at an address. A path may lead out of it; a notice says so.
        rows: of the table.

    Raises:
        DataError: a row has no path, label or split; a path has two labels, splits or groups; no image is there.
    """
    splits: dict[str, list[Sample]] = defaultdict(list)
    seen: dict[str, Row] = {}
    repeated: list[str] = []
    outside: list[str] = []
    top = os.path.abspath(folder) if isinstance(folder, Path) else ""
    for row in rows:
        for kind, value in (("path", row.path), ("label", row.label), ("split", row.split)):
            if value == "":
                raise DataError(f"{table}: {row.place} has no {kind}")
        split = UNSPLIT if row.split is None else split_named(row.split)
        label = unicodedata.normalize("NFC", row.label)
        row = row._replace(path=_with_slashes(folder, row.path), label=label, split=split)
        image = _image(table, folder, row)
        place = os.path.normpath(os.path.join(top, row.path)) if isinstance(image, Path) else image.name
        known = seen.setdefault(place, row)
        if known is not row:
            _check_same(table, known, row)
            repeated.append(f"{row.path} ({known.place} and {row.place})")
            continue
        if os.path.normpath(row.path).split(os.sep)[0] == os.pardir:
            outside.append(row.path)
        splits[split].append(Sample(image, label, row.group or None))
    if not seen:
        raise DataError(f"{table}: has no rows; each names an image and its label")
    if not any(is_address(place) or os.path.exists(place) for place in seen):
        first = excerpt(next(iter(seen)))
        what = f"none of its {counted(len(seen), 'image')} is there, the first would be {first}"
        raise DataError(f"{table}: {what}; paths are relative to {folder}")
    unused = [split for split in splits if split not in (UNSPLIT, *SPLIT_NAMES)]
    notices = [
        f"{table}: the split {excerpt(split)!r} ({counted(len(splits[split]), 'image')}) is neither train, val nor test"
        for split in unused
    ]
    if repeated:
        what = counted(len(repeated), "row repeats an image and its label", "rows repeat an image and its label")
        notices.append(f"{table}: {what}: {excerpt(repeated[0])}; each image counts once")
    if outside:
        what = counted(len(outside), "path leads", "paths lead")
        notices.append(f"{table}: {what} out of its folder: {excerpt(outside[0])}")
    return {split: tuple(samples) for split, samples in splits.items()}, notices


def _image(table: str, folder: Path | str, row: Row) -> Path | ImageAtAddress:
    if is_address(row.path):
        return ImageAtAddress(row.path)
    if isinstance(folder, Path):
        return folder / row.path
    if row.path.startswith("/"):  # a stranger's table names no files of this machine
        raise DataError(
            f"{table}: {row.place} names a file on a disk, {excerpt(row.path)}, but the table is at an address"
        )
    scheme, _, place = folder.partition("://")
    return ImageAtAddress(f"{scheme}://{posixpath.normpath(posixpath.join(place, row.path))}")


def _with_slashes(folder: Path | str, path: str) -> str:
    """A path that may have been written on Windows."""
    if "\\" in path and os.sep == "/" and not (isinstance(folder, Path) and os.path.lexists(folder / path)):
        return path.replace("\\", "/")
    return path


def _check_same(table: str, known: Row, row: Row) -> None:
    for kind in ("label", "split", "group"):
        one, other = getattr(known, kind), getattr(row, kind)
        if one != other:
            raise DataError(
                f"{table}: {excerpt(row.path)} has two {kind}s, {one!r} ({known.place}) and {other!r} ({row.place})"
            )
