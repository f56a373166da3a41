"""The most accurate model that fits: the one that a full table would give, found with fewer measurements."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from regnety.architecture.design import Design
from regnety.errors import EngineError
from regnety.inference.latency import picking, timing
from regnety.inference.latency.benchmark import bench
from regnety.inference.latency.picking import pick
from regnety.inference.latency.timed_models import TimedModel
from regnety.inference.latency.timing import LatencyRow
from timed import install, tiny_model

WIDTHS = {"e": 48, "d": 40, "c": 32, "b": 24, "a": 16}
"""From the most accurate to the least."""
TOP1 = {"e": 80.0, "d": 79.0, "c": 78.0, "b": 75.0, "a": 70.0}
LATENCIES = {"e": 90.0, "d": 20.0, "c": 30.0, "b": 8.0, "a": 9.0}
"""More accurate ones are not always the slower ones."""
MEMORY = {"e": 150.0, "d": 400.0, "c": 120.0, "b": 100.0, "a": 90.0}
JOBS = {"e": 180.0, "d": 900.0, "c": 131.0, "b": 115.0, "a": 96.0}
"""Of a batch job: more than the model alone takes."""
MODELS = [tiny_model(name, width=width, top1=TOP1[name]) for name, width in WIDTHS.items()]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))


def from_table(rows: list[LatencyRow], latency_ms: float | None, memory_mib: float | None) -> list[str]:
    """What anybody would read off a table: the two most accurate models with a row within the budget."""
    fitting = {
        row.model: row.top1 or 0
        for row in rows
        if (latency_ms is None or row.latency_p50_ms <= latency_ms)
        and (memory_mib is None or JOBS[row.model] <= memory_mib)
    }
    return sorted(fitting, key=lambda model: -fitting[model])[:2]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_answer_is_that_of_the_full_table(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    latencies: dict[Any, float] = {}
    for name, value in LATENCIES.items():
        latencies |= {(name, "onnxruntime"): value, (name, "openvino", "f32"): 1.2 * value - 4}
        latencies[name, "openvino", "bf16"] = 0.7 * value
    install(monkeypatch, latencies, memory_mib=MEMORY, job_memory_mib=JOBS)
    budgets = product((None, 1, 6, 8, 8.5, 15, 25, 70, 1000), (None, 50, 95, 110, 130, 1000))
    answers = {
        (latency_ms, memory_mib): [
            row.model
            for row in pick(latency_ms=latency_ms, memory_mib=memory_mib, candidates=MODELS, batch_size=batch_size)
        ]
        for latency_ms, memory_mib in budgets
    }
    rows = list(bench(MODELS, batch_sizes=(batch_size,)))
    for (latency_ms, memory_mib), answer in answers.items():
        assert answer == from_table(rows, latency_ms, memory_mib), (latency_ms, memory_mib)
    assert len({tuple(answer) for answer in answers.values()}) >= 7


def test_the_row_is_the_fastest_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    install(monkeypatch, {("a", "onnxruntime"): 4.0, ("a", "openvino"): 3.0})
    (row,) = pick(latency_ms=5, candidates=MODELS[-1:], precision="f32")
    assert (row.model, row.engine, row.latency_p50_ms, row.top1, row.auto) == ("a", "openvino", 3.0, 70.0, True)
    (row,) = pick(latency_ms=5, candidates=MODELS[-1:], engine="onnxruntime")
    assert (row.engine, row.latency_p50_ms) == ("onnxruntime", 4.0)


def test_what_is_less_accurate_than_the_runner_up_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, LATENCIES)
    seen: list[tuple[str, bool]] = []
    found = pick(
        latency_ms=35,
        candidates=MODELS,
        engine="onnxruntime",
        on_model=lambda model, row: seen.append((model.name, row is not None)),
    )
    assert [row.model for row in found] == ["d", "c"]
    assert fake.names == ["e", "d", "c"]
    assert seen == [("e", False), ("d", True), ("c", True)]
    assert [row.model for row in pick(latency_ms=35, candidates=MODELS, engine="onnxruntime", count=1)] == ["d"]
    assert fake.names == ["e", "d", "c"]  # the cache knows them


def test_bench_finds_what_pick_has_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, LATENCIES)
    pick(latency_ms=31, candidates=MODELS, engine="onnxruntime")
    measured = len(fake.requests)
    rows = list(bench(MODELS[:3], engines=("onnxruntime",), batch_sizes=(1,)))
    assert [row.latency_p50_ms for row in rows] == [90.0, 20.0, 30.0]
    assert len(fake.requests) == measured  # 90 ms is not over three times the limit: it was measured to the end


def test_of_a_large_network_the_beginning_may_be_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "PARTS_FROM_PARAMS", 0)
    design = Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    model = TimedModel("e", small_bundle(design=design), has_random_weights=True, top1=80.0)
    fake = install(monkeypatch, {"e": 14.0})
    assert pick(latency_ms=10, candidates=[model], engine="onnxruntime") == []
    assert [request["graph"].rpartition("/")[2] for request in fake.requests] == ["model.onnx"]  # s1, and it was enough
    fake = install(monkeypatch, {"e": 12.0})
    assert pick(latency_ms=10, candidates=[model], engine="onnxruntime", fresh=True) == []
    assert len(fake.requests) == 3  # s1, s2 and, as they may be figures of a bad moment, the whole


def test_weights_that_take_more_than_the_budget_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "BYTES_PER_PARAMETER", 1 << 20)
    fake = install(monkeypatch, LATENCIES)
    assert pick(memory_mib=1000, candidates=MODELS, engine="onnxruntime") == []
    assert fake.requests == []


def test_a_batch_job_is_measured_where_memory_is_asked_for_and_the_model_alone_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = install(monkeypatch, LATENCIES, memory_mib=MEMORY, job_memory_mib=JOBS)
    found = pick(memory_mib=135, latency_ms=50, candidates=MODELS, engine="onnxruntime", threads=3)
    assert [(row.model, row.memory_mib, row.job_memory_mib) for row in found] == [("c", 120, 131), ("b", 100, 115)]
    assert fake.jobs == [("c", "onnxruntime", "f32", 3), ("b", "onnxruntime", "f32", 3)]
    again = pick(memory_mib=135, latency_ms=50, candidates=MODELS, engine="onnxruntime", threads=3)
    assert [row.job_memory_mib for row in again] == [131, 115]
    assert len(fake.jobs) == 2  # the cache knows them
    (row, _) = pick(latency_ms=50, candidates=MODELS, engine="onnxruntime")
    assert row.job_memory_mib is None


def test_memory_that_is_not_known_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, LATENCIES, memory_mib=dict.fromkeys(LATENCIES))
    assert pick(memory_mib=1000, candidates=MODELS, engine="onnxruntime") == []
    install(monkeypatch, LATENCIES, job_memory_mib=dict.fromkeys(LATENCIES))
    assert pick(memory_mib=1000, candidates=MODELS, engine="onnxruntime", fresh=True) == []
    assert len(pick(latency_ms=1000, candidates=MODELS, engine="onnxruntime")) == 2


def test_a_model_that_cannot_be_run_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake = install(monkeypatch, LATENCIES)

    def failing(request: dict[str, Any], *, name: str) -> dict[str, Any]:
        if name.startswith("e "):
            raise EngineError(f"{name} cannot be timed: its process was killed")
        return fake(request, name=name)

    monkeypatch.setattr(timing, "run_timing_process", failing)
    found = pick(latency_ms=1000, candidates=MODELS, engine="onnxruntime")
    assert [row.model for row in found] == ["d", "c"]
    assert caplog.messages == ["e with onnxruntime cannot be timed: its process was killed; it is left out"]
    with pytest.raises(EngineError, match=r"^e with onnxruntime cannot be timed: its process was killed$"):
        pick(latency_ms=1000, candidates=MODELS[:1], engine="onnxruntime")


@pytest.mark.slow
def test_measured_for_real_it_agrees_with_the_table() -> None:
    """Both read the same measurements, so that a machine that others use too cannot part them."""
    rows = list(bench(MODELS, batch_sizes=(1,)))
    assert len({row.model for row in rows}) == 5
    latencies = sorted(row.latency_p50_ms for row in rows)
    for budget in (0.9 * latencies[0], *(1.001 * latency for latency in latencies)):
        found = pick(latency_ms=budget, candidates=MODELS)
        assert [row.model for row in found] == from_table(rows, budget, None)
        assert all(any(row == other for other in rows) for row in found)
