"""Rows in files: the same values in every format, parts that join to one file, names of any bytes."""

import csv
import io
import json
import os
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from job_records import prediction
from regnety.errors import JobError, MissingExtraError
from regnety.inference.jobs.row_files import ROW_FORMATS, row_file
from regnety.inference.jobs.rows import Column, PredictionRows
from regnety.inference.predictor import ClassProbability, Prediction

ODD_NAMES = [
    "plain.jpg",
    "猫/naïve.jpg",
    'com,ma "quoted".jpg',
    "new\nline.jpg",
    "carriage\rreturn.jpg",
    "both\r\n.jpg",
    "esc\x1b[31m.jpg",
    os.fsdecode(b"caf\xe9.jpg"),
    " spaces ",
    "=1+1.jpg",
]
FIELDS = ["filename", "rank", "index", "label", "prob", "error"]


def joined(row_format: str, *parts: list[Prediction]) -> bytes:
    file = row_file(row_format, PredictionRows(), {"model": "small"})
    whole = io.BytesIO()
    file.join((file.encode(part) for part in parts), whole)
    return whole.getvalue()


@pytest.mark.parametrize("row_format", ROW_FORMATS)
def test_parts_join_to_what_one_part_is(row_format: str) -> None:
    records = [prediction(f"{number}.jpg") for number in range(30)]
    whole = joined(row_format, records)
    assert joined(row_format, records[:7], [], records[7:8], records[8:]) == whole
    assert joined(row_format, records[::-1]) != whole


def test_every_format_has_the_same_values() -> None:
    records = [prediction(f"{number}.jpg") for number in range(60)]
    assert 0 < sum(record.error is not None for record in records) < 10
    lines = [json.loads(line) for line in joined("jsonl", records).splitlines()]
    assert lines == [record.as_dict() for record in records]
    table = pq.read_table(io.BytesIO(joined("parquet", records)))
    rows = list(csv.DictReader(io.StringIO(joined("csv", records).decode())))
    assert list(rows[0]) == table.column_names == FIELDS
    number = 0
    typed = table.to_pylist()
    for record in records:
        for rank, entry in enumerate(record.predictions, start=1):
            wanted = (record.filename, rank, entry.index, entry.label, entry.prob, None)
            assert tuple(typed[number].values()) == wanted
            assert tuple(rows[number].values()) == tuple("" if value is None else str(value) for value in wanted)
            number += 1
        if record.error is not None:
            assert tuple(typed[number].values()) == (record.filename, None, None, None, None, record.error)
            assert tuple(rows[number].values()) == (record.filename, "", "", "", "", record.error)
            number += 1
    assert number == len(rows) == len(typed)


@pytest.mark.parametrize("row_format", ROW_FORMATS)
def test_names_of_any_bytes_are_told_apart(row_format: str) -> None:
    data = joined(row_format, [Prediction(name, None, (ClassProbability(1, "a\rb", 0.5),)) for name in ODD_NAMES])
    if row_format == "jsonl":
        assert [json.loads(line)["filename"] for line in data.decode().split("\n")[:-1]] == ODD_NAMES
        return
    spelled = [name.encode("utf-8", "backslashreplace").decode() for name in ODD_NAMES]
    assert spelled[7] == "caf\\udce9.jpg"
    if row_format == "csv":
        assert [row["filename"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))] == spelled
    else:
        assert pq.read_table(io.BytesIO(data)).column("filename").to_pylist() == spelled


def test_nothing_is_a_file_too() -> None:
    assert joined("csv") == b"filename,rank,index,label,prob,error\n"
    assert joined("jsonl") == b""
    assert pq.read_table(io.BytesIO(joined("parquet"))).num_rows == 0


def test_parquet_has_types_row_groups_and_the_model() -> None:
    records = [Prediction(f"{number}.jpg", None, (ClassProbability(1, "a", 0.5),)) for number in range(30_000)]
    file = pq.ParquetFile(
        io.BytesIO(joined("parquet", *[records[start : start + 4096] for start in range(0, 30_000, 4096)] * 3))
    )
    types = [str(field.type) for field in file.schema_arrow]
    assert types == ["string", "int32", "int32", "string", "double", "string"]
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sizes == [4 * 4096, 3 * 4096 + 1328 + 4096, 4 * 4096, 2 * 4096 + 1328 + 2 * 4096, 4 * 4096, 4096 + 1328]
    label = file.metadata.row_group(0).column(3)
    assert "RLE_DICTIONARY" in label.encodings
    assert label.compression == "ZSTD"
    assert json.loads(file.schema_arrow.metadata[b"regnety"]) == {"model": "small"}


@dataclass
class Embedded:
    filename: str
    embedding: npt.NDArray[np.float32] | None
    error: str | None = None


class EmbeddedRows:
    columns = (Column("filename", "text"), Column("embedding", "vector", 3), Column("error", "text"))

    def rows_of(self, record: Embedded) -> list[tuple[object, ...]]:
        return [(record.filename, record.embedding, record.error)]

    def as_dict(self, record: Embedded) -> dict[str, object]:
        return {
            "filename": record.filename,
            "embedding": None if record.embedding is None else record.embedding.tolist(),
        }


def test_vectors_have_a_place_in_parquet_and_none_in_csv() -> None:
    values = np.array([1.5, -2, 3], np.float32)
    file = row_file("parquet", EmbeddedRows(), {})
    whole = io.BytesIO()
    file.join(
        [file.encode([Embedded("a", values), Embedded("b", None, "bad")]), file.encode([Embedded("c", 2 * values)])],
        whole,
    )
    table = pq.read_table(whole)
    assert str(table.schema.field("embedding").type).startswith("fixed_size_list<")
    assert table.column("embedding").to_pylist() == [[1.5, -2.0, 3.0], None, [3.0, -4.0, 6.0]]
    assert row_file("jsonl", EmbeddedRows(), {}).encode([Embedded("a", values)]) == (
        b'{"filename": "a", "embedding": [1.5, -2.0, 3.0]}\n'
    )
    with pytest.raises(JobError, match="csv cannot hold embedding"):
        row_file("csv", EmbeddedRows(), {})


def test_without_pyarrow_parquet_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"^Parquet needs an extra: pip install '\.\[table\]' in a clone of regnety$"
    ):
        row_file("parquet", PredictionRows(), {})
