"""Class names from a user's own file: text, CSV or JSON, with nothing guessed."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from regnety.catalog.class_names import label_sets, labels
from regnety.errors import DataError
from regnety.files.opening import open_file
from regnety.text import reason_of

MAX_BYTES = 4 << 20
"""Of the file; ImageNet's 11,821 names take 124 KiB."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters, which JSON can write and no file can hold."""
_FORMS = 'a list of names, {"0": NAME, ...}, {NAME: 0, ...}, or a config.json of regnety, timm or transformers'


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Read class names by index from a file; the suffix says how.

    Args:
        path: `.json`: a list of names, a table of index to name or of name to index, or the config.json of a bundle,
            of timm (`label_names`) or of transformers (`id2label`). `.csv`: two columns, index and name, in either
            order, under the header `index,label` or, where only one of them can be an index, without; or names alone.
            Any other: text, a name a line, line n is index n - 1. UTF-8, with or without a byte order mark.

    Returns:
        The names, without the spaces around them, in Unicode's composed form (NFC). Whether there are as many as the
        model has classes is for the caller to see; two classes may have the same name.

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
            names = tuple(
                _checked(line, f"{path}, line {number}") for number, line in enumerate(_lines_of(text), start=1)
            )
    if not names:
        raise DataError(f"{path}: has no class names")
    return names


def find_labels(named: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names however they are given: the name of a set (`imagenet-1k`), a file of them, or they themselves.

    Raises:
        DataError: the file cannot be read; the message says where.
    """
    if not isinstance(named, str | Path):
        return tuple(named)
    if isinstance(named, str) and named in label_sets():
        return labels(named)
    if not Path(named).suffix and not Path(named).exists():
        raise DataError(f"{named}: no such file of class names, and no such set; there are {', '.join(label_sets())}")
    return read_labels(named)


def _read_text(path: Path) -> str:
    try:
        with open_file(path, pipes="open") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}; it should hold class names") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"{path}: is over {MAX_BYTES >> 20} MiB, class names are not; name another file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: is not UTF-8; save the file as UTF-8 text") from None


def _lines_of(text: str) -> list[str]:
    """Lines that end in LF, CRLF or CR, and in nothing else that `str.splitlines` takes for an end."""
    lines = re.split("\r\n|\n|\r", text)
    return lines if lines[-1] else lines[:-1]


def _read_csv(text: str, path: Path) -> tuple[str, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: is not CSV: {error}") from None
    if not rows:
        return ()
    header = [cell.lower() for cell in rows[0][1]]
    named = header == ["label"] or sorted(header) == ["index", "label"]
    columns = len(header)
    if columns not in (1, 2):
        raise DataError(f"{path}, line 1: has {columns} columns; class names have two, index,label, or label alone")
    body = rows[1:] if named else rows
    for line, row in body:
        if len(row) != columns:
            raise DataError(f"{path}, line {line}: has {len(row)} columns, the first line has {columns}")
    if columns == 1:
        return tuple(_checked(row[0], f"{path}, line {line}") for line, row in body)
    if not named and _index(header[0]) is not None and _index(header[1]) is not None:
        raise DataError(f"{path}, line 1: either column may be the index; begin with a header line, index,label")
    index_column = header.index("index") if named else int(_index(header[0]) is None)
    return _by_index(((row[index_column], row[1 - index_column], f"{path}, line {line}") for line, row in body), path)


def _read_json(text: str, path: Path) -> tuple[str, ...]:
    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in pairs:
            if key in values:  # of which JSON's readers silently keep the last
                raise DataError(f"{path}: has the key {_quoted(key)} twice; each may stand once")
            values[key] = value
        return values

    try:
        document = json.loads(text, object_pairs_hook=table)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: is not JSON: {error.msg}") from None
    except DataError:  # a ValueError too, from table
        raise
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply; class names are {_FORMS}") from None
    except ValueError:  # Python's limit on the digits of a number
        raise DataError(f"{path}: has a number that is no index; class names are {_FORMS}") from None
    names = _names_in(document)
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(_checked(name, f"{path}, index {number}") for number, name in enumerate(names))
    if isinstance(names, dict) and all(isinstance(name, str) for name in names.values()):
        return _by_index(((index, name, f"{path}, key {_quoted(index)}") for index, name in names.items()), path)
    if isinstance(names, dict) and all(type(index) is int for index in names.values()):
        return _by_index(((str(index), name, f"{path}, key {_quoted(name)}") for name, index in names.items()), path)
    raise DataError(f"{path}: has no class names; they are {_FORMS}")


def _names_in(document: Any) -> Any:
    """The names of a config.json, else the document itself."""
    match document:
        case {"regnety": {"labels": names}} | {"label_names": names} | {"pretrained_cfg": {"label_names": names}}:
            return names
        case {"id2label": dict() as names}:
            return names
        case _:
            return document


def _by_index(entries: Iterable[tuple[str, str, str]], path: Path) -> tuple[str, ...]:
    """Names in the order of their indices.

    Args:
        entries: index as text, name, and the place in the file.
        path: the file, for errors.
    """
    names: dict[int, str] = {}
    for text, name, place in entries:
        index = _index(text)
        if index is None:
            raise DataError(f"{place}: {_quoted(text)} is not an index; indices are whole numbers from 0")
        if index in names:
            raise DataError(f"{place}: index {index} is {_quoted(names[index])} already; name each index once")
        names[index] = _checked(name, place)
    for expected, index in enumerate(sorted(names)):
        if index != expected:
            raise DataError(f"{path}: has no name for index {expected}; name every index from 0 to {max(names)}")
    return tuple(names[index] for index in range(len(names)))


def _index(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _checked(name: str, place: str) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise DataError(f"{place}: has no name; give every class one")
    if _CONTROL.search(name):
        raise DataError(f"{place}: {_quoted(name)} is not a name, it has control characters")
    return name


def _quoted(text: str) -> str:
    """On one line, and not longer than a line."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
