"""Tiny models to be timed, and a stand-in for the processes that time them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from regnety.architecture.design import Design
from regnety.inference.latency import timing
from regnety.inference.latency.timed_models import TimedModel


def tiny_model(name: str = "tiny", *, width: int = 16, top1: float | None = None, seed: int = 0) -> TimedModel:
    """A model that a real engine runs within a millisecond."""
    design = Design(depth=2, w0=width, wa=16, wm=2, group_width=8, stem_stride=1)
    return TimedModel(name, small_bundle(design=design, name=name, seed=seed), has_random_weights=True, top1=top1)


class FakeProcesses:
    """What the processes would measure: latency and memory by model, or by model and engine; all are written down."""

    def __init__(
        self,
        latencies: Mapping[Any, float],
        memory_mib: Mapping[str, float] | None = None,
        job_memory_mib: Mapping[str, float] | None = None,
    ) -> None:
        self.latencies = latencies
        self.job_memory_mib = job_memory_mib or {}
        self.jobs: list[tuple[str, str, str, int]] = []
        self.memory_mib = memory_mib or {}
        self.requests: list[dict[str, Any]] = []
        self.names: list[str] = []

    def __call__(self, request: dict[str, Any], *, name: str) -> dict[str, Any]:
        match = re.fullmatch(r"(.*) with (.*)", name)
        assert match is not None
        model, engine = match[1].removeprefix("a batch job of "), match[2]
        if "photograph" in request:
            assert Path(request["photograph"]).is_file()
            self.jobs.append((model, engine, request["precision"], request["workers"]))
            return {"memory_mib": self.job_memory_mib.get(model, 200.0), "engine_version": "1.2.3"}
        self.requests.append(request)
        self.names.append(model)
        keys = ((model, engine, request["precision"]), (model, engine), model)
        latency_ms = next(self.latencies[key] for key in keys if key in self.latencies)
        give_up_ms = request["give_up_ms"]
        return {
            "latency_p50_ms": latency_ms,
            "latency_p99_ms": 2 * latency_ms,
            "runs": 10,
            "cut_short": give_up_ms is not None and latency_ms > give_up_ms,
            "memory_mib": self.memory_mib.get(model, 100.0),
            "engine_version": "1.2.3",
        }


def install(monkeypatch: pytest.MonkeyPatch, latencies: Mapping[Any, float], **memory: Any) -> FakeProcesses:
    """Put a stand-in in the place of the processes."""
    fake = FakeProcesses(latencies, **memory)
    monkeypatch.setattr(timing, "run_timing_process", fake)
    return fake
