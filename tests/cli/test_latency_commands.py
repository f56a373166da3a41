"""`regnety bench` and `regnety pick`: on tiny models, or on stand-ins for the processes that measure."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, regnety, regnety_here
from regnety.catalog.published import list_weights
from regnety.inference.latency import timed_models
from regnety.inference.latency.timing import LatencyRow
from timed import install, tiny_model

FIELDS = [field.name for field in fields(LatencyRow)]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))


def test_bench_measures_and_finds_it_again(tmp_path: Path) -> None:
    bundle = small_bundle().save(tmp_path / "bundle")
    arguments = ("bench", bundle, "--engines", "onnxruntime", "--batch-sizes", "1,2", "--threads", "1")
    first = regnety(*arguments, "--format", "json")
    assert first.returncode == 0, first.stderr
    rows = json.loads(first.stdout)
    assert [list(row) for row in rows] == [FIELDS, FIELDS]
    assert [(row["model"], row["engine"], row["batch_size"], row["auto"]) for row in rows] == [
        (str(bundle), "onnxruntime", 1, True),
        (str(bundle), "onnxruntime", 2, True),
    ]
    assert [line.rpartition(": ")[0] for line in first.stderr.splitlines()] == [
        f"bench: {bundle} onnxruntime f32 batch 1",
        f"bench: {bundle} onnxruntime f32 batch 2",
    ]
    again = regnety(*arguments, "--quiet", "--output", tmp_path / "rows.csv")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    table = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text("utf-8"))))
    assert [row["latency_p50_ms"] for row in table] == [str(row["latency_p50_ms"]) for row in rows]
    assert [row["date"] for row in table] == [row["date"] for row in rows]


def test_bench_of_names_prints_a_table_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, {"regnety_002.pycls_in1k": 2.0, "regnety_004.pycls_in1k": 3.25})
    names = ("regnety_002", "regnety_004")
    picture = tmp_path / "pareto.svg"
    result = regnety_here(capfd, "bench", *names, "--engines", "onnxruntime", "--threads", 2, "--plot", picture)
    assert result.returncode == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert " ".join(head.split()) == "model top1 size engine batch p50 ms p99 ms images/s MiB auto runs on"
    assert [" ".join(line.split()[:-1]) for line in lines] == [
        "regnety_002.pycls_in1k 70.29 224 onnxruntime f32 1 2 4 500.0 100 * 1x1",
        "regnety_002.pycls_in1k 70.29 224 onnxruntime f32 8 2 4 4,000.0 100 * 2x1",
        "regnety_004.pycls_in1k 74.00 224 onnxruntime f32 1 3.25 6.5 307.7 100 * 1x1",
        "regnety_004.pycls_in1k 74.00 224 onnxruntime f32 8 3.25 6.5 2,461.5 100 * 2x1",
    ]
    said = result.stderr.splitlines()
    assert said[0] == "regnety: speed does not depend on weights; named models are measured with random ones"
    assert said[-1] == f"regnety: wrote {picture}"
    assert "<!-- 004 -->" in picture.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bench", "resnet*"), "no model matches 'resnet*'"),
        (("bench", "nothing"), "no model named 'nothing'"),
        (("bench", "--engines", "tpu"), "Invalid value for '--engines': 'tpu' is not one of"),
        (("bench", "--batch-sizes", "1,0"), "Invalid value for '--batch-sizes': 0 is not in the range"),
        (("bench", "--engines", "onnxruntime", "--precisions", "bf16"), "ONNX Runtime does not compute in bf16"),
        (("bench", "--plot", "a.gif"), "a.gif: a picture is written as .png or .svg"),
        (("bench", "--output", "a.txt"), "a.txt: name it .json, .jsonl"),
        (("bench", "--output", "no/a.parquet"), "no/a.parquet: there is no folder no"),
        (("pick", "--latency-ms", "9", "--license", "mitt"), "Invalid value for '--license': 'mitt' is not one of"),
        (("pick",), "name a budget: --latency-ms, --memory-mib or both"),
        (("pick", "--latency-ms", "0"), "Invalid value for '--latency-ms'"),
        (("pick", "--latency-ms", "9", "--image-size", "100"), "no accuracy is published at 100 pixels"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    assert one_line(regnety(*arguments)).startswith(message)


def test_bench_of_a_model_without_accuracy_has_no_picture(tmp_path: Path) -> None:
    bundle = small_bundle().save(tmp_path / "bundle")
    result = regnety("bench", bundle, "--plot", tmp_path / "a.png")
    assert one_line(result).startswith("--plot needs accuracies, and none is known for these models at this size (")
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [tiny_model(f"m{width}", width=width, top1=60 + width / 4) for width in (32, 24, 16)]
    monkeypatch.setattr(timed_models, "published_candidates", lambda **_: models)
    install(monkeypatch, {"m32": 12.0, "m24": 9.0, "m16": 4.0})


@pytest.mark.usefixtures("_published")
def test_pick_answers_with_the_runner_up(capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "pick", "--latency-ms", 10, "--engine", "onnxruntime", "--format", "json", "--quiet")
    assert (result.returncode, result.stderr) == (0, "")
    rows = json.loads(result.stdout)
    assert [(row["model"], row["top1"], row["latency_p50_ms"]) for row in rows] == [
        ("m24", 66.0, 9.0),
        ("m16", 64.0, 4.0),
    ]
    said = regnety_here(capfd, "pick", "--latency-ms", 10, "--engine", "onnxruntime").stderr.splitlines()
    assert said[0] == "pick: m32 does not fit"
    assert said[-1] == (
        "regnety: the most accurate that fits is m24, the runner-up m16; get its weights with `regnety fetch m24`"
    )


@pytest.mark.usefixtures("_published")
def test_pick_of_nothing_has_status_1(capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "pick", "--latency-ms", 1, "--engine", "onnxruntime", "--format", "json", "--quiet")
    assert (result.returncode, json.loads(result.stdout)) == (1, [])
    assert result.stderr == "regnety: none of 3 published models fits here\n"


def test_pick_takes_weights_by_their_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of all that are published, whose accuracies and licences stand in the catalogue."""
    fake = install(monkeypatch, dict.fromkeys(map(str, list_weights()), 5.0), memory_mib={}, job_memory_mib={})
    best = {
        "commercial": "regnety_080_tv.tv2_in1k",
        "apache-2.0": "regnety_032.ra_in1k",
        "mit": "regnety_320.pycls_in1k",
    }
    for licence, model in best.items():
        line = ("pick", "--latency-ms", 9, "--engine", "onnxruntime", "--license", licence, "--format", "csv", "-q")
        (first, *_) = csv.DictReader(regnety_here(capfd, *line).stdout.splitlines())
        assert first["model"] == model
        assert first["job_memory_mib"] == ""
    fake.latencies = dict.fromkeys(fake.latencies, 100.0)
    line = ("pick", "--latency-ms", 9, "--engine", "onnxruntime", "--license", "apache-2.0", "--fresh", "-q")
    result = regnety_here(capfd, *line)
    assert (result.returncode, result.stderr) == (1, "regnety: none of 1 published models under apache-2.0 fits here\n")


@pytest.mark.usefixtures("_published")
def test_pick_says_what_a_batch_job_takes(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = ("pick", "--memory-mib", 300, "--latency-ms", 10, "--engine", "onnxruntime", "--precision", "f32")
    result = regnety_here(capfd, *line, "--threads", 2)
    assert " images/s  MiB  job MiB  auto " in result.stdout.splitlines()[0]
    last = result.stderr.splitlines()[-1]
    assert last == "regnety: a batch job of it with --engine onnxruntime --precision f32 --workers 2 takes 200 MiB"
    assert regnety_here(capfd, *line, "-o", tmp_path / "rows.csv", "-q").returncode == 0
    (first, *_) = csv.DictReader((tmp_path / "rows.csv").read_text().splitlines())
    assert (first["model"], first["memory_mib"], first["job_memory_mib"]) == ("m24", "100.0", "200.0")
