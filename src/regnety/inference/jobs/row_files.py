"""Files of rows: how a part is written, and how parts are joined into one file without holding all of them.

File names need not be text: on Linux they are bytes, and Python has those that are not UTF-8 as lone surrogates. JSON
lines keep them as an escape that `json` reads back; CSV and Parquet, which are UTF-8, spell them out
(`caf\\udce9.jpg`).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from regnety.errors import JobError
from regnety.extras import import_extra
from regnety.inference.jobs.rows import Column, Rows
from regnety.text import one_line

if TYPE_CHECKING:
    import pyarrow

Record = TypeVar("Record")
Written = TypeVar("Written", contravariant=True)
ROW_FORMATS = ("csv", "jsonl", "parquet")
# A row group of Parquet ends at so many rows or bytes. It is what is in memory while parts are joined.
ROW_GROUP_ROWS = 1 << 14
ROW_GROUP_BYTES = 8 << 20


class RowFile(Protocol[Written]):
    """One format."""

    def encode(self, records: Sequence[Written]) -> bytes:
        """These answers as a part."""

    def join(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """Write the whole file: all parts, in their order."""

    def facts(self, file: IO[bytes]) -> Mapping[str, Any]:
        """What a whole file says about itself; empty for a format without metadata."""

    def images(self, file: IO[bytes]) -> Iterator[tuple[str, bool]]:
        """The images of a whole file: the name of each as it stands there, and whether it has an error.

        Raises:
            ValueError: it is not such a file, or has other columns.
        """


def row_file(row_format: str, rows: Rows[Record], facts: Mapping[str, Any]) -> "RowFile[Record]":
    """The file of a format.

    Args:
        row_format: one of `ROW_FORMATS`.
        rows: its contents.
        facts: about the whole file, as JSON values; Parquet stores them under the key `regnety` of its metadata.

    Raises:
        MissingExtraError: Parquet needs pyarrow.
        JobError: the format cannot hold these rows.
    """
    if row_format == "parquet":
        return ParquetFile(rows, facts)
    if row_format == "jsonl":
        return JsonLinesFile(rows)
    vectors = [column.name for column in rows.columns if column.kind == "vector"]
    if vectors:
        raise JobError(f"csv cannot hold {vectors[0]}, a list of numbers per row; use parquet or jsonl")
    return CsvFile(rows)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of CSV, each ended by a line feed; a value with a line break of any kind in it is quoted."""
    lines: list[str] = []
    # csv quotes a carriage return only if lines end with one; it is taken off again below
    writer = csv.writer(_Lines(lines), lineterminator="\r\n")
    # A name that begins with = stays as it is, though a spreadsheet computes it: a program must find the file.
    writer.writerows(rows)
    return "".join([f"{line[:-2]}\n" for line in lines])


class _Lines:
    """A file for csv, which writes a row at a time."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def json_line(record: Mapping[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(record, ensure_ascii=False) + "\n"


class CsvFile(Generic[Record]):
    """UTF-8 with a header."""

    def __init__(self, rows: Rows[Record]) -> None:
        self._rows = rows

    def encode(self, records: Sequence[Record]) -> bytes:
        """Rows without a header."""
        # without a header, so that parts are joined as they are
        return _utf8(csv_text(row for record in records for row in self._rows.rows_of(record)))

    def join(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """The header once, then the parts."""
        file.write(_utf8(csv_text([[column.name for column in self._rows.columns]])))
        for part in parts:
            file.write(part)

    def facts(self, file: IO[bytes]) -> Mapping[str, Any]:
        """None."""
        return {}

    def images(self, file: IO[bytes]) -> Iterator[tuple[str, bool]]:
        """One per row of rank 1 or without a rank."""
        names = [column.name for column in self._rows.columns]
        # newline="": else a line break within quotes would be changed before csv sees it
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        rows = csv.reader(text, strict=True)
        try:
            _check_columns(next(rows, []), names)
            for row in rows:  # strict: rows of another width are another program's, or a damaged file's
                values = dict(zip(names, row, strict=True))
                if values.get("rank", "") in ("", "1"):  # wide rows have no rank, and errors an empty one
                    yield values["filename"], values["error"] != ""
        except csv.Error as error:
            raise ValueError(str(error)) from error
        finally:
            text.detach()  # else it would close the file, which is not ours


class JsonLinesFile(Generic[Record]):
    """A line an answer."""

    def __init__(self, rows: Rows[Record]) -> None:
        self._rows = rows

    def encode(self, records: Sequence[Record]) -> bytes:
        """Lines."""
        return _utf8("".join(json_line(self._rows.as_dict(record)) for record in records))

    def join(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """The parts, one after the other."""
        for part in parts:
            file.write(part)

    def facts(self, file: IO[bytes]) -> Mapping[str, Any]:
        """None."""
        return {}

    def images(self, file: IO[bytes]) -> Iterator[tuple[str, bool]]:
        """One per line."""
        for line in file:
            values = json.loads(line)
            if not isinstance(values, dict) or not isinstance(values.get("filename"), str):
                raise ValueError("a line has no filename")
            yield values["filename"], values.get("error") is not None


class ParquetFile(Generic[Record]):
    """Typed columns in row groups, compressed with zstd, texts as dictionaries."""

    def __init__(self, rows: Rows[Record], facts: Mapping[str, Any]) -> None:
        import_extra("pyarrow.parquet", feature="Parquet", extra="table")
        import pyarrow as pa

        pa.array([0])  # imports pandas if it is installed, some 50 MiB: before the first image, not after thousands
        self._rows = rows
        fields = [pa.field(column.name, _arrow_type(column)) for column in rows.columns]
        self._schema = pa.schema(fields, metadata={"regnety": json.dumps(facts)})
        self._options: dict[str, Any] = {
            "compression": "zstd",
            "use_dictionary": [column.name for column in rows.columns if column.kind == "text"],
        }

    def encode(self, records: Sequence[Record]) -> bytes:
        """A whole Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [row for record in records for row in self._rows.rows_of(record)]
        columns = [
            _arrow_array(column, [row[number] for row in rows]) for number, column in enumerate(self._rows.columns)
        ]
        file = io.BytesIO()
        pq.write_table(pa.Table.from_arrays(columns, schema=self._schema), file, **self._options)
        return file.getvalue()

    def join(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """In row groups as large as memory allows, as readers like them."""
        import pyarrow.parquet as pq

        # Parquet files cannot be appended to each other like text: their tables are read and written again
        with pq.ParquetWriter(file, self._schema, **self._options) as writer:
            for table in self._row_groups(parts):
                writer.write_table(table, row_group_size=max(1, table.num_rows))

    def facts(self, file: IO[bytes]) -> Mapping[str, Any]:
        """Its metadata under our key."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            facts = json.loads((pq.read_schema(file).metadata or {}).get(b"regnety", b"{}"))
        except (OSError, pa.ArrowException) as error:
            raise ValueError(one_line(error)) from error
        return facts if isinstance(facts, dict) else {}

    def images(self, file: IO[bytes]) -> Iterator[tuple[str, bool]]:
        """One per row of rank 1 or without a rank."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            parquet = pq.ParquetFile(file)
            _check_columns(parquet.schema_arrow.names, self._schema.names)
            wanted = [name for name in ("filename", "rank", "error") if name in self._schema.names]
            for batch in parquet.iter_batches(columns=wanted):
                for row in batch.to_pylist():
                    if row.get("rank") in (None, 1):
                        yield row["filename"] or "", row["error"] is not None
        except (OSError, pa.ArrowException) as error:
            raise ValueError(one_line(error)) from error

    def _row_groups(self, parts: Iterable[bytes]) -> "Iterator[pyarrow.Table]":
        import pyarrow as pa
        import pyarrow.parquet as pq

        waiting: list[pyarrow.Table] = []
        for part in parts:
            # not pq.read_table, which imports Arrow's data sets: 36 MiB more
            waiting.append(pq.ParquetFile(pa.BufferReader(part)).read(use_threads=False))
            if (
                sum(table.num_rows for table in waiting) >= ROW_GROUP_ROWS
                or sum(table.nbytes for table in waiting) >= ROW_GROUP_BYTES
            ):
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)


def spelled(name: str) -> str:
    """A name as CSV and Parquet spell it."""
    return _utf8(name).decode("utf-8")


def _utf8(text: str) -> bytes:
    # a lone surrogate becomes \udce9: in JSON that is its very escape, and `json` reads the name back
    return text.encode("utf-8", "backslashreplace")


def _check_columns(found: Sequence[str], wanted: Sequence[str]) -> None:
    if list(found) != list(wanted):
        raise ValueError(f"its columns are {', '.join(found) or 'none'}, not {', '.join(wanted)}")


def _arrow_type(column: Column) -> "pyarrow.DataType":
    import pyarrow as pa

    if column.kind == "vector":
        # -1: Arrow's size of a list of any length
        return pa.list_(pa.float32(), -1 if column.size is None else column.size)
    kinds = {
        "text": pa.string(),
        "integer": pa.int32(),
        "count": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
    }
    return kinds[column.kind]


def _arrow_array(column: Column, values: list[Any]) -> "pyarrow.Array":
    import pyarrow as pa

    try:
        return pa.array(values, _arrow_type(column))
    except UnicodeEncodeError:  # a name that is not UTF-8; rare, so that not every name is spelled
        texts = [None if value is None else spelled(value) for value in values]
        return pa.array(texts, _arrow_type(column))
