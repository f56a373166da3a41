"""Class names from a user's own file: text, CSV or JSON."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.catalog.class_names import label_sets, labels
from regnety.errors import DataError, WeightsError
from regnety.files.opening import open_file
from regnety.text import counted, one_line, reason_of

MAX_BYTES = 4 << 20  # ImageNet-12k's 11,821 names take 124 KiB
# Control characters, and lone surrogates, which JSON can write and UTF-8 cannot.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FORMS = 'a list of names, {"0": NAME, ...}, {NAME: 0, ...}, or a config.json of regnety, timm or transformers'


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Read class names by index from a file; the suffix says how.

    Args:
        path: `.json`: a list of names, a table of index to name or of name to index, or the config.json of a bundle,
            of timm (`label_names`) or of transformers (`id2label`). `.csv`: one column of names, or a header line and
            columns `label` and, if the rows are in any other order, `index`. Any other suffix: text, one name per
            line, from index 0. UTF-8, with or without a byte order mark.

    Returns:
        The names, without the spaces around them, in Unicode's composed form (NFC). Their number is not compared with
        a model's classes; two classes may have the same name.

    Raises:
        DataError: the file cannot be read, is something else or over 4 MiB, a name is empty or has control characters,
            or the indices are not 0, 1, 2 and so on, each once. The message says where.
    """
    path = Path(path)
    text = _read_text(path)
    match path.suffix.lower():
        case ".json":
            names = _read_json(text, path)
        case ".csv":
            names = _read_csv(text, path)
        case _:
            # not splitlines(), which also splits at U+2028 and other characters that may be in a name
            lines = re.split("\r\n|\n|\r", text)
            lines = lines if lines[-1] else lines[:-1]
            names = tuple(_checked(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))
    if not names:
        raise DataError(f"{path}: has no class names")
    return names


def find_labels(named: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names, given as the name of a set (`imagenet-1k`), as a file, or as themselves.

    Raises:
        DataError: the file cannot be read; the message says where.
    """
    if not isinstance(named, str | Path):
        return tuple(named)
    if isinstance(named, str) and named in label_sets():  # a file of that name is ./imagenet-1k
        return labels(named)
    if not Path(named).suffix and not Path(named).exists():
        raise DataError(f"{named}: no such file of class names, and no such set; sets are {', '.join(label_sets())}")
    return read_labels(named)


def with_found_labels(bundle: Bundle, named: str | Path | Sequence[str]) -> Bundle:
    """A bundle with other class names, given as for `find_labels`.

    Raises:
        DataError: the file cannot be read.
        WeightsError: there are more or fewer names than classes.
    """
    names, num_classes = find_labels(named), bundle.metadata.num_classes
    if len(names) != num_classes and isinstance(named, str | Path):
        has = f"has {counted(len(names), 'class name')}, {bundle.name} has {counted(num_classes, 'class', 'classes')}"
        way = "one name for each class" if str(named).lower().endswith((".json", ".csv")) else "one name per line"
        advice = "" if named in label_sets() else f"; write {way}, in the model's order"
        raise WeightsError(f"{named}: {has}{advice}")
    return bundle.with_labels(names)


def _read_text(path: Path) -> str:
    try:
        with open_file(path, pipes="open") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}; expected a file of class names") from None
    if len(data) > MAX_BYTES:  # most likely weights or an archive, named by mistake
        raise DataError(f"{path}: is over {MAX_BYTES >> 20} MiB, too large for class names")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: is not UTF-8; save it as UTF-8 text") from None


def _read_csv(text: str, path: Path) -> tuple[str, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(f"{path}, line {reader.line_num}", [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: is not CSV: {error}") from None
    header = [cell.lower() for cell in rows[0][1]] if rows else ["label"]
    if "label" in header:
        rows = rows[1:]
    elif len(header) == 1:
        header = ["label"]
    else:
        raise DataError(f"{path}, line 1: expected a header line with index,label, or one column of class names")
    for place, row in rows:
        if len(row) != len(header):
            raise DataError(f"{place}: expected {counted(len(header), 'column')} as in the first line, got {len(row)}")
    table = [(place, dict(zip(header, row, strict=True))) for place, row in rows]
    if "index" in header:
        return _by_index(((row["index"], row["label"], place) for place, row in table), path)
    return tuple(_checked(row["label"], place) for place, row in table)


def _read_json(text: str, path: Path) -> tuple[str, ...]:
    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):  # of a key that is there twice, JSON's readers silently keep the last
            keys = [key for key, _ in pairs]
            raise DataError(f"{path}: has the key {_quoted(next(key for key in keys if keys.count(key) > 1))} twice")
        return values

    try:
        document = json.loads(text, object_pairs_hook=table)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: is not JSON: {error.msg}") from None
    except DataError:  # a ValueError too, from table
        raise
    except (RecursionError, ValueError) as error:  # brackets without end; more digits than Python turns into a number
        raise DataError(f"{path}: is not JSON of class names: {one_line(error)}") from None
    names = _names_in(document)
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(_checked(name, f"{path}, index {number}") for number, name in enumerate(names))
    if isinstance(names, dict) and all(isinstance(name, str) for name in names.values()):
        return _by_index(((index, name, f"{path}, key {_quoted(index)}") for index, name in names.items()), path)
    if isinstance(names, dict) and all(type(index) is int for index in names.values()):  # a bool is no index
        return _by_index(((str(index), name, f"{path}, key {_quoted(name)}") for name, index in names.items()), path)
    raise DataError(f"{path}: has no class names; expected {_FORMS}")


def _names_in(document: Any) -> Any:
    """The class names in a config.json, else the document itself."""
    match document:
        case {"regnety": {"labels": names}} | {"label_names": names} | {"pretrained_cfg": {"label_names": names}}:
            return names
        case {"id2label": dict() as names}:
            return names
        case _:
            return document


def _by_index(entries: Iterable[tuple[str, str, str]], path: Path) -> tuple[str, ...]:
    """Names in the order of their indices; an entry is the index as text, the name, and its place in the file."""
    names: dict[int, str] = {}
    for text, name, place in entries:
        index = _index(text)
        if index is None:
            raise DataError(f"{place}: {_quoted(text)} is not an index; indices are whole numbers from 0")
        if index in names:
            raise DataError(f"{place}: index {index} is already {_quoted(names[index])}; give each index once")
        names[index] = _checked(name, place)
    for expected, index in enumerate(sorted(names)):
        if index != expected:
            raise DataError(f"{path}: has no name for index {expected}; give one to every index from 0 to {max(names)}")
    return tuple(names[index] for index in range(len(names)))


def _index(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _checked(name: str, place: str) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise DataError(f"{place}: has no name; give one to every class")
    if _CONTROL.search(name):
        raise DataError(f"{place}: {_quoted(name)} has control characters")
    return name


def _quoted(text: str) -> str:
    """On one line, and short."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
