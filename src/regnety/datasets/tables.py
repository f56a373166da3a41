"""Tables of path and label, and if they have them split and group, as text: what spreadsheets write and people type."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from regnety.datasets.samples import Sample
from regnety.datasets.table_columns import Columns, find_columns
from regnety.datasets.table_rows import Row, samples_of_rows
from regnety.errors import DataError
from regnety.files.opening import open_file
from regnety.images.path_lists import WIDE_MARKS
from regnety.text import excerpt, reason_of

TEXT_TABLES = (".csv", ".tsv", ".txt")
DELIMITERS = ",\t;|"
"""What separates columns; spreadsheets write a semicolon where the comma is the decimal point."""


def read_text_table(path: Path) -> tuple[dict[str, tuple[Sample, ...]], list[str]]:
    """The samples of a table by split, and what there is to say about it.

    Raises:
        DataError: it cannot be read, lacks a column, or a line of it is wrong.
    """
    return samples_of_rows(str(path), path.parent, text_rows(decoded(read_table_file(path), str(path)), str(path)))


def text_rows(text: str, table: str) -> Iterator[Row]:
    """The rows of a table with a first line that names its columns.

    Raises:
        DataError: there is no column for path or label, or a line is cut off, too long, or not a row.
    """
    header, delimiter, skipped = _header(text, table)
    columns = find_columns(header, table)
    needed = 1 + max(columns.path, columns.label, columns.split or 0, columns.group or 0)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for _ in range(skipped):
            next(reader)
        for values in reader:
            place = f"line {reader.line_num}"
            if not any(value.strip() for value in values):
                continue
            if len(values) < needed:
                raise DataError(
                    f"{table}: {place} has {len(values)} of {len(header)} columns: {excerpt(delimiter.join(values))}"
                )
            if any(value.strip() for value in values[len(header) :]):  # a label with a comma would lose its end
                raise DataError(
                    f"{table}: {place} has {len(values)} of {len(header)} columns: "
                    f"{excerpt(delimiter.join(values))}; put a value with a {delimiter!r} in it into quotes"
                )
            yield _row(values, columns, place)
    except csv.Error as error:
        raise DataError(f"{table}: line {reader.line_num} is no row of a table: {error}") from None


def _row(values: Sequence[str], columns: Columns, place: str) -> Row:
    split, group = (None if number is None else values[number].strip() for number in (columns.split, columns.group))
    return Row(place, values[columns.path].strip(), values[columns.label].strip(), split, group)


def _header(text: str, table: str) -> tuple[list[str], str, int]:
    """The names of the columns, what separates them, and how many lines come before the first row."""
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own note
        names = next(csv.reader([rest.partition("\n")[0].strip()], delimiter=first.strip()[4]), [])
        return names, first.strip()[4], 2
    if not first.strip():
        what = "its first line is empty" if text.strip() else "is empty"
        raise DataError(f"{table}: {what}; it needs a line path,label")
    headers = {delimiter: _cut(first, delimiter, table) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda delimiter: len(headers[delimiter]))  # of equal ones the first
    return headers[delimiter], delimiter, 1


def _cut(line: str, delimiter: str, table: str) -> list[str]:
    try:
        return next(csv.reader([line.strip("\r\n")], delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"{table}: its first line is no row of a table: {error}") from None


def read_table_file(path: Path) -> bytes:
    """The bytes of a table on this disk.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with open_file(path, pipes="open") as file:
            return file.read()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}") from None


def decoded(data: bytes, table: str) -> str:
    """The text of a table: UTF-8, or UTF-16 as Windows writes it.

    Raises:
        DataError: it is neither.
    """
    if data.startswith(b"PK\x03\x04"):
        raise DataError(f"{table}: is a spreadsheet's or another zip file, not text; save it as CSV (UTF-8)")
    try:
        return data.decode("utf-16") if data.startswith(WIDE_MARKS) else data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{table}: line {line} is not UTF-8; save the table as CSV (UTF-8)") from None
