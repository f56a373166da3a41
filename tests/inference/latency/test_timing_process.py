"""When enough was timed, and what a process says of itself."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regnety.inference.latency import timing_process
from regnety.inference.latency.timing import Timing
from regnety.inference.latency.timing_process import enough, is_over, peak_memory_mib, summary, timed
from timed import tiny_model


class Clock:
    """Time that passes only in runs."""

    def __init__(self, milliseconds: Callable[[int], float]) -> None:
        self.now_s, self.runs = 0.0, 0
        self._milliseconds = milliseconds

    def perf_counter(self) -> float:
        return self.now_s

    def run(self) -> None:
        self.now_s += self._milliseconds(self.runs) / 1000
        self.runs += 1


@pytest.mark.parametrize(
    ("milliseconds", "give_up_ms", "timed_runs", "warm_up_runs"),
    [
        (1, None, 1000, 2),  # a second
        (0.1, None, 2000, 2),  # no more than that
        (300, None, 10, 2),  # ten at least
        (900, None, 7, 2),  # unless they take six seconds
        (4000, None, 3, 1),  # three at least, and a second of warming up is enough
        (1, 0.5, 2, 2),  # over the limit
        (1, 1.5, 1000, 2),  # under it
    ],
)
def test_runs_until_it_is_enough(
    milliseconds: float, give_up_ms: float | None, timed_runs: int, warm_up_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(lambda _: milliseconds)
    monkeypatch.setattr(timing_process, "time", clock)
    times = timed(clock.run, give_up_ms=give_up_ms)
    assert abs(len(times) - timed_runs) <= 1  # sums of binary fractions
    assert clock.runs - len(times) == warm_up_runs
    assert times == pytest.approx([milliseconds] * len(times))


def test_the_fastest_run_decides_whether_a_limit_is_passed() -> None:
    assert is_over([12.0, 11.0], 10.0)
    assert not is_over([30.0, 9.0], 10.0)
    assert not is_over([30.0], None)
    assert enough([12.0, 11.0], 0.02, 10.0)
    assert not enough([12.0], 0.01, 10.0)


def test_median_and_99th_percentile() -> None:
    times = [float(number) for number in range(1, 201)]
    assert summary(times) == {"latency_p50_ms": 100.5, "latency_p99_ms": pytest.approx(198.01), "runs": 200}
    assert summary([3.0, 1.0, 50.0])["latency_p50_ms"] == 3.0


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for a process's memory")
def test_peak_memory_is_the_process_own_and_not_its_parents() -> None:
    ballast = bytearray(300 << 20)
    ballast[:: 1 << 12] = b"x" * len(ballast[:: 1 << 12])
    own_mib = peak_memory_mib()
    assert own_mib is not None
    assert own_mib > 300
    code = "from regnety.inference.latency.timing_process import peak_memory_mib; print(peak_memory_mib())"
    childs = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 10 < childs < 120
    assert len(ballast) == 300 << 20


@pytest.mark.parametrize(
    ("engine", "workers", "images_per_run"), [("onnxruntime", 1, 3), ("openvino", 2, 1), ("torch", 1, 3)]
)
def test_a_real_process_measures_a_real_engine(engine: str, workers: int, images_per_run: int) -> None:
    pytest.importorskip(engine)
    model = tiny_model()
    with model.written(engine) as graph:
        answer = ask(
            {
                "graph": str(graph),
                "engine": engine,
                "precision": "f32",
                "threads": 1,
                "workers": workers,
                "images_per_run": images_per_run,
                "batch_size": 3,
                "image_shape": [32, 32, 3],
                "give_up_ms": None,
            }
        )
    assert 0 < answer["latency_p50_ms"] <= answer["latency_p99_ms"]
    assert answer["runs"] >= 3
    assert answer["cut_short"] is False
    assert answer["engine_version"][0].isdigit()
    if sys.platform == "linux":
        assert 30 < answer["memory_mib"] < 1000


def test_what_cannot_be_loaded_is_said_in_the_answer(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    answer = ask(
        {
            "graph": str(tmp_path / "model.onnx"),
            "engine": "onnxruntime",
            "precision": "f32",
            "threads": 1,
            "workers": 1,
            "images_per_run": 1,
            "batch_size": 1,
            "image_shape": [32, 32, 3],
            "give_up_ms": None,
        }
    )
    assert answer["error"].startswith(f"{tmp_path}/model.onnx: ONNX Runtime cannot load it: ")


def ask(request: dict[str, Any]) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", "regnety.inference.latency.timing_process"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for a process's memory")
def test_a_batch_job_takes_its_photographs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker holds a picture of 12 megapixels, 34 MiB, decoded."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))

    peaks = []
    for threads in (1, 3):
        with Timing(tiny_model(), threads=threads) as timed_alone:
            alone = timed_alone.row("onnxruntime", "f32", batch_size=1).memory_mib
            job = timed_alone.job_memory_mib("onnxruntime", "f32")
            assert alone is not None
            assert job is not None
            assert job == timed_alone.job_memory_mib("onnxruntime", "f32")  # from the cache
            peaks.append(job)
    assert peaks[0] > alone + 34
    assert peaks[1] > peaks[0] + 34
    assert not (tmp_path / "cache" / "graphs").exists()
