"""What is measured, what is kept of it, and for how long that is true."""

import json
import types
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bundles import small_bundle
from quantized_models import CALIBRATION
from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError
from regnety.inference.engines import registry
from regnety.inference.engines.processor import Processor
from regnety.inference.latency import benchmark, measurement_cache, timing, timing_process
from regnety.inference.latency.benchmark import bench, engines_to_time, with_auto
from regnety.inference.latency.timing import LatencyRow, Schedule, Timing, schedules
from regnety.inference.latency.timing_process import run_timing_process
from timed import install, tiny_model

VERSIONS = {"onnxruntime": "1.2", "openvino": "3.4", "torch": "5.6"}


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: name)
    monkeypatch.setattr(timing, "installed_engines", lambda: VERSIONS)
    monkeypatch.setattr(benchmark, "has_bf16", lambda: True)
    monkeypatch.setattr("regnety.inference.engines.selection.has_bf16", lambda: True)


def no_process(request: dict[str, Any], *, name: str) -> dict[str, Any]:
    raise AssertionError(f"{name} was measured again")


def test_ways_to_run_a_batch() -> None:
    assert schedules(1, 4) == [Schedule(1, 4, 1)]
    assert schedules(8, 1) == [Schedule(1, 1, 8)]
    assert schedules(16, 2) == [Schedule(2, 1, 1), Schedule(2, 1, 8), Schedule(1, 2, 16)]
    assert schedules(3, 4) == [Schedule(3, 1, 1), Schedule(1, 4, 3)]
    assert schedules(10, 4) == [Schedule(4, 1, 1), Schedule(4, 1, 3), Schedule(1, 4, 10)]


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize(
    ("engines", "precisions", "expected"),
    [
        (("auto",), ("auto",), [("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16")]),
        (("auto",), ("bf16",), [("openvino", "bf16")]),
        (("onnxruntime",), ("auto",), [("onnxruntime", "f32")]),
        (("torch", "auto"), ("f32",), [("torch", "f32"), ("onnxruntime", "f32"), ("openvino", "f32")]),
        (("openvino", "openvino"), ("bf16", "f32"), [("openvino", "bf16"), ("openvino", "f32")]),
        (("onnxruntime", "openvino"), ("bf16",), [("openvino", "bf16")]),
    ],
)
def test_engines_and_precisions(engines: Any, precisions: Any, expected: Any) -> None:
    assert engines_to_time(engines, precisions) == expected


@pytest.mark.usefixtures("everything_installed")
def test_a_quantized_model_is_timed_in_int8_and_no_other() -> None:
    floating = small_bundle()
    metadata = replace(floating.metadata, calibration=CALIBRATION)
    quantized = types.SimpleNamespace(name="birds", metadata=metadata, graph=None, is_quantized=True)
    assert engines_to_time(bundle=cast(Bundle, quantized)) == [("onnxruntime", "int8"), ("openvino", "int8")]
    for precisions in (("f32", "bf16"), ("f32",)):
        with pytest.raises(EngineError, match="birds: is quantized and computes in int8, not in f32"):
            engines_to_time(precisions=precisions, bundle=cast(Bundle, quantized))
    with pytest.raises(EngineError, match="small: is not quantized"):
        engines_to_time(precisions=("int8",), bundle=floating)


@pytest.mark.usefixtures("everything_installed")
def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="ONNX Runtime does not compute in bf16"):
        engines_to_time(("onnxruntime",), ("bf16",))
    with pytest.raises(EngineError, match="no engine named 'tpu'"):
        engines_to_time(("tpu",), ("f32",))
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "openvino" else name)
    assert engines_to_time(("auto",), ("f32",)) == [("onnxruntime", "f32")]
    with pytest.raises(
        EngineError, match=r"openvino is not installed: pip install '\.\[openvino\]' in a clone of regnety"
    ):
        engines_to_time(("openvino",), ("f32",))


@pytest.mark.usefixtures("everything_installed")
def test_the_fastest_way_and_the_fastest_engine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    latencies = {("tiny", "onnxruntime"): 4.0, ("tiny", "openvino", "f32"): 2.0, ("tiny", "openvino", "bf16"): 5.0}
    fake = install(monkeypatch, {**latencies, ("tiny", "torch"): 1.0})
    rows = list(bench([tiny_model()], engines=("auto", "torch"), batch_sizes=(1, 8), precisions=("f32",), threads=2))
    assert [(row.engine, row.batch_size, row.auto) for row in rows] == [
        ("torch", 1, False),
        ("onnxruntime", 1, False),
        ("openvino", 1, True),
        ("torch", 8, False),
        ("onnxruntime", 8, False),
        ("openvino", 8, True),
    ]
    openvino = rows[5]
    assert openvino.images_per_second == 4000.0
    assert (openvino.latency_p50_ms, openvino.latency_p99_ms, openvino.memory_mib) == (2.0, 4.0, 100.0)
    assert (openvino.workers, openvino.threads, openvino.images_per_run) == (
        2,
        1,
        1,
    )  # as fast as others, and the first
    assert len(fake.requests) == 3 * (1 + 3)


@pytest.mark.usefixtures("everything_installed")
def test_near_rivals_are_measured_twice_and_the_shorter_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    latencies = {("tiny", "onnxruntime"): 4.0, ("tiny", "openvino", "f32"): 4.5, ("tiny", "openvino", "bf16"): 5.0}
    fake = install(monkeypatch, latencies)
    seen = []

    def on_row(row: LatencyRow) -> None:
        seen.append((row.engine, row.precision, row.latency_p50_ms))
        if len(seen) == 3:
            fake.latencies = {("tiny", "onnxruntime"): 6.0, ("tiny", "openvino", "f32"): 3.0}

    rows = list(bench([tiny_model()], batch_sizes=(1,), threads=2, on_row=on_row))
    assert [latency for *_, latency in seen] == [4.0, 4.5, 5.0]
    assert [(row.latency_p50_ms, row.auto) for row in rows] == [(4.0, False), (3.0, True), (5.0, False)]
    assert len(fake.requests) == 5  # bf16 is too far behind
    monkeypatch.setattr(timing, "run_timing_process", no_process)
    assert list(bench([tiny_model()], batch_sizes=(1,), threads=2)) == rows


@pytest.mark.usefixtures("everything_installed")
def test_what_was_measured_is_kept_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {"tiny": 3.0})
    first = list(bench([tiny_model()], threads=2))
    monkeypatch.setattr(timing, "run_timing_process", no_process)
    assert list(bench([tiny_model("other name", seed=1)], threads=2)) == [
        replace(row, model="other name") for row in first
    ]
    assert first[0].date.endswith("+00:00")
    with pytest.raises(AssertionError, match="was measured again"):
        list(bench([tiny_model()], threads=2, fresh=True))
    with pytest.raises(AssertionError, match="was measured again"):
        list(bench([tiny_model()], threads=3))
    with pytest.raises(AssertionError, match="was measured again"):
        list(bench([tiny_model(width=24)], threads=2))


FACTS = {"graph": "a", "engine": "openvino", "engine_version": "1", "precision": "f32", "batch_size": 1, "threads": 2}


@pytest.mark.parametrize("fact", FACTS)
def test_a_measurement_has_another_place_when_a_fact_changes(fact: str) -> None:
    assert measurement_cache.measurement_path(FACTS) != measurement_cache.measurement_path({**FACTS, fact: "other"})
    assert measurement_cache.measurement_path(FACTS) == measurement_cache.measurement_path(
        dict(reversed(FACTS.items()))
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("processor", lambda: Processor("another one", frozenset({"avx2"}))),
        ("available_cores", lambda: 77),
        ("__version__", "0.0.0"),
    ],
)
def test_and_when_the_machine_or_the_release_changes(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measurement_cache.measurement_path(FACTS)
    monkeypatch.setattr(measurement_cache, name, value)
    assert measurement_cache.measurement_path(FACTS) != before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"measured": {"runs": 1}}', '{"measured": null}', "\0"])
def test_a_damaged_measurement_is_none(content: str) -> None:
    path = measurement_cache.measurement_path(FACTS)
    path.parent.mkdir(parents=True)
    path.write_text(content, "utf-8")
    assert measurement_cache.read_measurement(FACTS) is None


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "file"))
    fake = install(monkeypatch, {"tiny": 3.0})
    (row,) = bench([tiny_model()], engines=("onnxruntime",), batch_sizes=(1,))
    assert row.latency_p50_ms == 3.0
    assert len(fake.requests) == 1


def test_what_was_cut_short_answers_only_for_limits_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, {"tiny": 40.0})

    def asked(limit_ms: float | None) -> int:
        before = len(fake.requests)
        with Timing(tiny_model(), threads=1) as one:
            assert one.row("onnxruntime", "f32", batch_size=1, limit_ms=limit_ms).latency_p50_ms == 40.0
        return len(fake.requests) - before

    assert asked(10) == 1  # over three times the limit: cut short
    assert asked(10) == 0
    assert asked(5) == 0
    assert asked(20) == 1  # not that far over it: to the end
    assert asked(20) == 0
    assert asked(None) == 0


def test_an_engine_that_fails_is_left_out_while_there_is_another(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    fake = install(monkeypatch, {("tiny", "openvino"): 3.0})

    def failing(request: dict[str, Any], *, name: str) -> dict[str, Any]:
        if request["engine"] == "onnxruntime":
            raise EngineError(f"{name} cannot be timed: no")
        return fake(request, name=name)

    monkeypatch.setattr(timing, "run_timing_process", failing)
    (row,) = bench([tiny_model()], precisions=("f32",), batch_sizes=(1,))
    assert (row.engine, row.auto) == ("openvino", True)
    assert caplog.messages == ["tiny with onnxruntime cannot be timed: no; it is left out"]
    with pytest.raises(EngineError, match=r"^tiny with onnxruntime cannot be timed: no$"):
        list(bench([tiny_model()], engines=("onnxruntime",)))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('no room')", "its process ended with 1 no room"),
        ("import os; os.kill(os.getpid(), 9)", "its process was killed, perhaps for lack of memory"),
        ('print(\'{"error": "bad graph"}\')', "bad graph"),
    ],
)
def test_a_process_that_fails_is_one_line(code: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing_process, "PROCESS", code.replace("{", "{{").replace("}", "}}"))
    with pytest.raises(EngineError) as error:
        run_timing_process({}, name="tiny with openvino")
    assert str(error.value) == f"tiny with openvino cannot be timed: {reason}"


def test_a_graph_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(EngineError, match=r"^tiny cannot be timed, its graph cannot be written: .*nowhere"):
        list(bench([tiny_model()], engines=("onnxruntime",)))


def test_modules_in_the_current_folder_are_not_taken_for_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "statistics.py").write_text("raise SystemExit('not the one')", "utf-8")
    monkeypatch.chdir(tmp_path)
    (row,) = bench([tiny_model()], engines=("onnxruntime",), batch_sizes=(1,), threads=1)
    assert row.runs >= 3


def test_torch_is_auto_only_where_it_is_alone() -> None:
    row = LatencyRow(
        model="m", top1=None, image_size=32, engine="torch", engine_version="1", precision="f32", batch_size=1,
        workers=1, threads=1, images_per_run=1, latency_p50_ms=1.0, latency_p99_ms=1.0, images_per_second=1.0,
        memory_mib=None, runs=3, processor=None, cores=1, date="2026-01-01",
    )  # fmt: skip
    slower = replace(row, engine="onnxruntime", latency_p50_ms=2.0)
    assert [each.auto for each in with_auto([row])] == [True]
    assert [each.auto for each in with_auto([row, slower])] == [False, True]


def test_a_real_measurement(tmp_path: Path) -> None:
    (row,) = bench([tiny_model()], engines=("onnxruntime",), batch_sizes=(1,), threads=1)
    assert 0 < row.latency_p50_ms <= row.latency_p99_ms
    assert row.images_per_second == pytest.approx(1000 / row.latency_p50_ms)
    (kept,) = (tmp_path / "cache" / "latency").glob("*.json")
    content = json.loads(kept.read_text("utf-8"))
    assert content["measured"]["latency_p50_ms"] == row.latency_p50_ms
    assert content["machine"]["cores"] == row.cores
