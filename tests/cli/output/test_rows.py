"""Every command that answers with rows writes them to a file too, in each format, and by one rule."""

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bundles import LABELS, small_bundle
from commands import one_line, python, regnety, regnety_here
from pictures import encoded, noise

SAID = "regnety: {output}: already exists; it is replaced when the new one is complete"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, labelled photographs, one of them with a hard name, and their embeddings."""
    folder = tmp_path_factory.mktemp("rows")
    small_bundle().save(folder / "bundle")
    for number, label in enumerate(LABELS):
        (folder / "photos" / label).mkdir(parents=True)
        for copy in range(2):
            (folder / "photos" / label / f"=1+{copy}.png").write_bytes(encoded(noise(40, 30, seed=number), "PNG"))
    line = ("embed", folder / "photos", "-r", "--model", folder / "bundle", "-o", folder / "e.parquet", "-q")
    assert regnety(*line).returncode == 0
    return folder


def commands(folder: Path) -> dict[str, tuple[object, ...]]:
    photo = folder / "photos" / LABELS[0] / "=1+0.png"
    return {
        "duplicates": ("duplicates", folder / "e.parquet"),
        "neighbours": ("neighbours", folder / "e.parquet", photo, "--top-k", 3),
        "eval": ("eval", "--data", folder / "photos", "--model", folder / "bundle"),
        "models": ("models", "regnety_0*"),
        "describe": ("describe", "regnety_002", "regnety_004", "--design", "depth=4,w0=16,wa=16,wm=2,group_width=8"),
        "predict": ("predict", photo, "--model", folder / "bundle", "--top-k", 2),
    }


NAMES = ("duplicates", "neighbours", "eval", "models", "describe", "predict")


# a file of eval has a row for each photograph, and stdout one for each class (tests/cli/test_eval_rows.py)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "eval"])
def test_a_file_has_what_stdout_has(name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = commands(folder)[name]
    for suffix in ("csv", "json", "jsonl"):
        output = tmp_path / f"rows.{suffix}"
        printed = regnety_here(capfd, *line, "--format", suffix)
        written = regnety_here(capfd, *line, "--output", output)
        assert (printed.returncode, written.returncode, written.stdout) == (0, 0, ""), written.stderr
        assert output.read_text("utf-8") == printed.stdout
        assert SAID.format(output=output) not in written.stderr
        before = output.read_bytes()
        output.write_text("old")
        again = regnety_here(capfd, *line, "--output", output)
        assert again.stderr.splitlines().count(SAID.format(output=output)) == 1
        assert output.read_bytes() == before
    table = regnety_here(capfd, *line)
    assert regnety_here(capfd, *line, "--format", "table", "-o", tmp_path / "rows.txt").returncode == 0
    assert (tmp_path / "rows.txt").read_text("utf-8") == table.stdout
    assert sorted(os.listdir(tmp_path)) == ["rows.csv", "rows.json", "rows.jsonl", "rows.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_parquet_has_the_rows_of_csv(
    name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = commands(folder)[name]
    assert regnety_here(capfd, *line, "--output", tmp_path / "rows.parquet").returncode == 0
    assert regnety_here(capfd, *line, "--output", tmp_path / "rows.csv").returncode == 0
    table = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in table] == [list(row) for row in rows]
    assert len(table) >= 2
    for found, row in zip(table, rows, strict=True):
        for field, text in row.items():
            value = found[field]
            if isinstance(value, float):
                assert float(text) == value
            else:
                assert ("" if value is None else str(value)) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "{tmp}/a.txt"), "{tmp}/a.txt: name it .json, .jsonl, .csv or .parquet, or say which with --format"),
        (("-o", "{tmp}/no/a.csv"), "{tmp}/no/a.csv: there is no folder {tmp}/no"),
        (("-o", "{tmp}/a.csv", "--format", "json"), "{tmp}/a.csv: the suffix says csv, --format says json"),
        (("--format", "parquet"), "parquet cannot be printed; name a file with --output"),
        (("-o", "{tmp}", "--format", "csv"), "{tmp}: is a folder, a device or a pipe, not a file"),
        (
            ("-o", "{tmp}/job.csv"),
            "{tmp}/job.csv: has an unfinished job of 2 images; continue with --resume (resume=True)",
        ),
    ],
)
@pytest.mark.parametrize("name", NAMES[:5])
def test_what_cannot_be_written_is_one_line_before_any_work(
    name: str, options: tuple[str, ...], message: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / ".job.csv.job"
    job.mkdir()
    (job / "job.json").write_text('{"format_version": 1, "settings": {"row_format": "csv"}}')
    (job / "000000.csv").write_text("")
    (job / "000000.json").write_text('{"names": ["a.jpg", "b.jpg"], "unreadable": 0}')
    given = [option.format(tmp=tmp_path) for option in options]
    line = one_line(regnety_here(capfd, *commands(folder)[name], *given))
    assert line.startswith(message.format(tmp=tmp_path))


def test_stdout_by_its_name(folder: Path) -> None:
    line = commands(folder)["duplicates"]
    if not os.path.exists("/dev/stdout"):
        pytest.skip("this system has no /dev/stdout")
    as_csv = regnety(*line, "--format", "csv", "-q").stdout
    assert regnety(*line, "--format", "csv", "-o", "/dev/stdout", "-q").stdout == as_csv
    assert regnety(*line, "--format", "csv", "-o", "-", "-q").stdout == as_csv


def test_a_row_a_photograph(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photos = [folder / "photos" / label / "=1+0.png" for label in LABELS[:2]]
    line = ("predict", *photos, tmp_path / "absent.png", "--model", folder / "bundle", "--top-k", 3)
    long = list(csv.DictReader(regnety_here(capfd, *line, "--format", "csv").stdout.splitlines()))
    result = regnety_here(capfd, *line, "--wide", "--format", "csv")
    assert result.returncode == 1
    rows = list(csv.DictReader(result.stdout.splitlines()))
    columns = ["filename", "label_1", "prob_1", "label_2", "prob_2", "label_3", "prob_3", "error"]
    assert [list(row) for row in rows] == [columns] * 3
    for row, photo in zip(rows, photos, strict=False):
        assert (row["filename"], row["error"]) == (str(photo), "")
        pairs = [(found["label"], found["prob"]) for found in long if found["filename"] == str(photo)]
        assert [(row[f"label_{rank}"], row[f"prob_{rank}"]) for rank in (1, 2, 3)] == pairs
    assert list(rows[2].values()) == [str(tmp_path / "absent.png"), *[""] * 6, f"{tmp_path}/absent.png: no such file"]
    assert regnety_here(capfd, *line, "--wide", "-o", tmp_path / "a.csv").returncode == 1
    assert (tmp_path / "a.csv").read_text() == result.stdout
    assert regnety_here(capfd, *line, "--wide", "-o", tmp_path / "a.parquet").returncode == 1
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [list(row) for row in table] == [columns] * 3
    assert [row["label_2"] or "" for row in table] == [row["label_2"] for row in rows]
    assert table[2]["prob_1"] is None


def test_a_wide_job_is_gone_on_with_as_one(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photos = sorted((folder / "photos").rglob("*.png"))
    line = ("predict", *photos, "--model", folder / "bundle", "-o", tmp_path / "a.csv", "-q")
    assert regnety_here(capfd, *line, "--wide").returncode == 0
    assert regnety_here(capfd, *line, "--wide", "--resume").returncode == 0
    words = "is finished, but is not what this job writes: its columns are filename, label_1, prob_1, "
    assert one_line(regnety_here(capfd, *line, "--resume")).startswith(f"{tmp_path}/a.csv: {words}")


def test_wide_has_as_many_columns_as_there_are_classes_and_indices_without_names(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small_bundle(labels=None).save(tmp_path / "bundle")
    photo = folder / "photos" / LABELS[0] / "=1+0.png"
    line = ("predict", photo, "--model", tmp_path / "bundle", "--wide", "--top-k", 50, "--format", "csv", "-q")
    (row,) = csv.DictReader(regnety_here(capfd, *line).stdout.splitlines())
    assert len(row) == 2 + 2 * len(LABELS)
    assert sorted(row[f"label_{rank + 1}"] for rank in range(len(LABELS))) == [str(n) for n in range(len(LABELS))]
    (row,) = csv.DictReader(regnety_here(capfd, *line, "--min-probability", "1").stdout.splitlines())
    assert set(list(row.values())[1:]) == {""}
    for wrong in ("table", "json", "jsonl"):
        refused = regnety_here(capfd, "predict", photo, "--wide", "--format", wrong)
        assert one_line(refused).startswith("--wide needs --format csv, or an --output of .csv or ")


def test_names_are_written_as_they_are_also_where_a_spreadsheet_would_compute(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program must find the file again; the page on formats says how a spreadsheet takes it as text."""
    monkeypatch.chdir(folder / "photos" / LABELS[0])
    result = regnety_here(capfd, "predict", "=1+0.png", "--model", folder / "bundle", "--wide", "--format", "csv", "-q")
    assert result.stdout.splitlines()[1].startswith("=1+0.png,")


def test_eval_says_the_whole_beside_the_rows(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = commands(folder)["eval"]
    whole = json.loads(regnety_here(capfd, *line, "--format", "json").stdout)
    result = regnety_here(capfd, *line, "--format", "csv")
    assert f"top1 {whole['top1']:.2f} %, top5 {whole['top5']:.2f} %, loss " in result.stderr
    rows = [(row["class"], int(row["count"]), float(row["top1"])) for row in csv.DictReader(result.stdout.splitlines())]
    assert rows == [(name, of["count"], of["top1"]) for name, of in whole["per_class"].items()]


def test_rows_need_no_torch(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['regnety', 'duplicates', sys.argv[1], '-o', sys.argv[2]]\n"
        "from regnety.cli.main import run\nassert run() == 0\nassert 'torch' not in sys.modules"
    )
    result = python(code, folder / "e.parquet", tmp_path / "a.csv")
    assert result.returncode == 0, result.stderr
