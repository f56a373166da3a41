"""What is said of the engine that answered."""

from types import SimpleNamespace
from typing import Any

import pytest

from regnety.cli.output.notices import EngineNotice
from regnety.inference.engines import registry, selection
from regnety.inference.engines.processor import Processor
from regnety.inference.tuning import Plan


def told(monkeypatch: pytest.MonkeyPatch, plan: Plan, version: str | None, *, flags: str = "", openvino: bool) -> str:
    monkeypatch.setattr(selection, "processor", lambda: Processor("one", frozenset(flags.split())))
    monkeypatch.setattr(registry, "find_spec", lambda name: openvino or None)
    engine = None if version is None else SimpleNamespace(name=plan.engine, version=version, precision=plan.precision)
    of: Any = SimpleNamespace(engine=engine, plan=plan)
    return EngineNotice(of).text()


FEW = Plan("onnxruntime", "f32", workers=2, threads=1, batch=1)
MANY = Plan("onnxruntime", "f32", workers=2, threads=1, batch=8)
TOLD = "answered by ONNX Runtime 1.32.0 in f32"


@pytest.mark.parametrize(
    ("plan", "version", "flags", "openvino", "text"),
    [
        (FEW, "1.32.0", "avx2 avx512f", False, TOLD),
        (MANY, "1.32.0", "avx2", False, f"{TOLD}, 8 images at a time on 2 threads"),
        (MANY, "1.32.0", "avx2 avx512f", True, f"{TOLD}, 8 images at a time on 2 threads"),
        (
            MANY,
            "1.32.0",
            "avx2 avx512f",
            False,
            f"{TOLD}, 8 images at a time on 2 threads; "
            "OpenVINO would be faster here: pip install '.[openvino]' in a clone of regnety",
        ),
        (
            Plan("openvino", "bf16", workers=1, threads=1, batch=4),
            "2026.4.1",
            "avx512f",
            True,
            "answered by OpenVINO 2026.4.1 in bf16, 4 images at a time on 1 thread",
        ),
        (Plan("openvino", "int8", workers=4, threads=1, batch=4), None, "", True, "answered by OpenVINO in int8"),
        (
            Plan("torch", "f32", workers=1, threads=2, batch=1),
            "2.13.0",
            "",
            True,
            "answered by PyTorch 2.13.0 in f32",
        ),
    ],
)
def test_it_says_what_answered_and_what_would_be_faster(
    plan: Plan, version: str | None, flags: str, openvino: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(monkeypatch, plan, version, flags=flags, openvino=openvino) == text
