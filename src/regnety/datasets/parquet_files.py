"""Parquet files with the images inside, as the Hub keeps data sets, or with a path and a label in each row."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.datasets.parquet_images import ImageInParquet, parquet
from regnety.datasets.places import folder_of, is_address, opened, what_failed
from regnety.datasets.samples import Sample
from regnety.datasets.split_names import UNSPLIT, split_named
from regnety.datasets.table_columns import NAMES, find_columns
from regnety.datasets.table_rows import Row, samples_of_rows
from regnety.errors import DataError, RegNetYError
from regnety.text import excerpt, listed

PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class ParquetSamples:
    """What a file holds."""

    splits: dict[str, tuple[Sample, ...]]
    """By the file's own column, else `UNSPLIT` alone."""
    unlabelled: int = 0
    """Rows without a label, which are left out: the Hub has test sets whose labels nobody may know."""
    notices: tuple[str, ...] = ()


def read_parquet(file: str, name: str) -> ParquetSamples:
    """The samples of a file, in the order of its rows.

    Args:
        file: path or address.
        name: what messages and samples call it.

    Raises:
        DataError: it is no Parquet file, damaged, has neither images nor paths, or no label.
        MissingExtraError: pyarrow is not installed.
    """
    arrow = parquet()
    with _errors_named(file, name), opened(file) as stream:
        content = arrow.ParquetFile(stream)
        schema = content.schema_arrow
        if not content.metadata.num_rows:
            raise DataError(f"{name}: has no rows")
        features = _features(schema.metadata or {})
        column = _image_column(schema, features)
        if column is None:
            folder = folder_of(file)
            return _paths(content, features, folder if is_address(file) else Path(folder), name)
        label = _label_column(schema, features, column.partition(".")[0], name)
        others = {kind: _column(schema, kind) for kind in ("split", "group")}
        wanted = [label, *filter(None, others.values())]
        table = content.read(columns=wanted, use_threads=False)
        labels = _labels(table.column(label).to_pylist(), features.get(label, {}), name)
        splits, groups = (
            [None] * len(labels) if one is None else table.column(one).to_pylist() for one in others.values()
        )
        counts = [content.metadata.row_group(number).num_rows for number in range(content.metadata.num_row_groups)]
    places = [(group, row) for group, count in enumerate(counts) for row in range(count)]
    found: dict[str, list[Sample]] = {}
    for number, ((group, row), text) in enumerate(zip(places, labels, strict=True)):
        if text is None:
            continue
        split = UNSPLIT if others["split"] is None else split_named(_text(splits[number]))
        if not split:
            raise DataError(f"{name}: row {number} has no split")
        image = ImageInParquet(f"{name}#{number}", file, column, group, row)
        found.setdefault(split, []).append(Sample(image, text, _text(groups[number]) or None))
    return ParquetSamples({split: tuple(samples) for split, samples in found.items()}, labels.count(None))


def _paths(content: Any, features: dict[str, Any], folder: Path | str, name: str) -> ParquetSamples:
    """A table of path and label."""
    names = content.schema_arrow.names
    try:
        columns = find_columns(names, name)
    except DataError as error:
        if "for the path" not in str(error):
            raise
        raise DataError(
            f"{name}: has neither images inside, a column of bytes, nor a column of their paths; "
            f"the columns are: {listed(names, most=12) or 'none'}"
        ) from None
    needed = {kind: names[place] for kind in NAMES if (place := getattr(columns, kind)) is not None}
    table = content.read(columns=[*needed.values()], use_threads=False)
    values = {kind: table.column(column).to_pylist() for kind, column in needed.items()}
    values["label"] = _labels(values["label"], features.get(needed["label"], {}), name)
    nothing = [None] * table.num_rows
    rows = (
        Row(f"row {number}", _text(path), _text(label), _text(split) if "split" in needed else None, _text(group))
        for number, (path, label, split, group) in enumerate(
            zip(*(values.get(kind, nothing) for kind in ("path", "label", "split", "group")), strict=True)
        )
    )
    splits, notices = samples_of_rows(name, folder, rows)
    return ParquetSamples(splits, notices=tuple(notices))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _features(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """What the Hub's `datasets` says of the columns: which are images, and the names of the classes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, LookupError, TypeError):  # another program's
        return {}
    return {name: of for name, of in features.items() if isinstance(of, dict)} if isinstance(features, dict) else {}


def _image_column(schema: Any, features: dict[str, Any]) -> str | None:
    """The column of bytes with the images; None if there is none."""
    import pyarrow as pa

    def bytes_in(field: Any) -> str | None:
        if pa.types.is_struct(field.type):
            inner = next((part for part in field.type if part.name == "bytes"), None)
            return f"{field.name}.bytes" if inner is not None and bytes_in(inner) else None
        is_bytes = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        return field.name if is_bytes else None

    found = {field.name: column for field in schema if (column := bytes_in(field)) is not None}
    marked = [name for name in found if features.get(name, {}).get("_type") == "Image"]
    named = [name for name in found if name.lower() in NAMES["path"]]
    # masks and depth maps are images too, but not called so
    for names in ([name for name in marked if name in named], marked, named, [*found]):
        if names:
            return found[names[0]]
    return None


def _column(schema: Any, kind: str) -> str | None:
    names: list[str] = schema.names
    return next((name for known in NAMES[kind] for name in names if name.lower() == known), None)


def _label_column(schema: Any, features: dict[str, Any], image: str, name: str) -> str:
    classes: list[str] = [column for column in schema.names if features.get(column, {}).get("_type") == "ClassLabel"]
    usual = _column(schema, "label")
    if usual is not None and (usual in classes or not classes):
        return usual
    if len(classes) == 1:
        return classes[0]
    if classes:
        raise DataError(f"{name}: which column is the label: {listed(classes, most=12)}? Name that one 'label'")
    others = [column for column in schema.names if column != image]
    raise DataError(f"{name}: has images, but no column named 'label'; it has {listed(others, most=12) or 'no other'}")


def _labels(values: Sequence[Any], feature: dict[str, Any], name: str) -> list[str | None]:
    """The class of each row by name; None where nobody says it (-1, or nothing)."""
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    labels: list[str | None] = []
    for row, value in enumerate(values):
        if value is None or value == "" or (names and value == -1):
            labels.append(None)
        elif names and isinstance(value, int):
            if not 0 <= value < len(names):
                raise DataError(f"{name}: row {row} has the label {value}, of {len(names)} classes")
            labels.append(unicodedata.normalize("NFC", str(names[value])))
        elif isinstance(value, str | int) or (isinstance(value, float) and value.is_integer()):
            text = value if isinstance(value, str) else str(int(value))
            labels.append(unicodedata.normalize("NFC", text.strip()))
        else:
            raise DataError(f"{name}: row {row} has the label {excerpt(value)}; a label is a name or a whole number")
    return labels


@contextmanager
def _errors_named(file: str, name: str) -> Iterator[None]:
    try:
        yield
    except RegNetYError:
        raise
    except Exception as error:  # Arrow's errors, and those of a store's own library
        raise DataError(f"{name}: cannot be read as Parquet: {what_failed(error, file)}") from error
