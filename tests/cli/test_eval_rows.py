"""`regnety eval --output`: a row for each photograph, in every format."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq

from bundles import small_bundle
from commands import regnety
from pictures import write_colours
from regnety.datasets.folders import read_class_folders
from regnety.inference.evaluation import evaluate


def test_a_file_has_a_row_for_each_photograph_and_stdout_one_for_each_class(tmp_path: Path) -> None:
    small_bundle().save(tmp_path / "bundle")
    data = write_colours(tmp_path / "data", count=5, seed=1)
    (data / "green" / "zz.png").touch()
    arguments = ("eval", "--data", data, "--model", tmp_path / "bundle")
    expected = evaluate(small_bundle(), read_class_folders(data), quiet=True)
    for suffix in ("csv", "jsonl", "parquet"):
        result = regnety(*arguments, "--output", tmp_path / f"rows.{suffix}")
        assert (result.returncode, result.stdout) == (1, "")
        summary, error = result.stderr.splitlines()
        assert summary.startswith(f"regnety: {tmp_path}/bundle: top1 ")
        assert error == f"regnety: {data}/green/zz.png: is empty"
    rows = [image.as_dict() for image in expected.images()]
    assert [row["error"] for row in rows if row["error"]] == [f"{data}/green/zz.png: is empty"]
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == rows
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    with (tmp_path / "rows.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert written == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert list(written[0]) == ["filename", "true_label", "label", "prob", "correct", "error"]
    classes = regnety(*arguments, "--format", "csv")
    assert list(csv.DictReader(classes.stdout.splitlines())) == [
        {"class": name, "count": "5", "top1": str(of.top1)} for name, of in expected.per_class.items()
    ]
    regnety(*arguments, "--output", tmp_path / "all.json")
    whole = json.loads((tmp_path / "all.json").read_text())
    assert {name: of["count"] for name, of in whole["per_class"].items()} == {"blue": 5, "green": 5, "red": 5}
