"""Which engine answers: every question that can be asked, on every kind of machine."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import LABELS, small_bundle
from commands import python
from regnety import EngineError, MissingExtraError, Predictor, WeightsError
from regnety.errors import RegNetYError
from regnety.inference.engines import registry, selection
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import ENGINES, PRECISIONS
from regnety.inference.engines.selection import (
    choose_engine,
    installed_engines,
    start_engine,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
NO_BF16 = "bf16 needs a processor with avx512_bf16 or amx_bf16, and this one has neither; take the precision f32"
UNKNOWN = NO_BF16.replace("has neither", "does not say what it has")
NOT_IN_ORT = "ONNX Runtime does not compute in bf16; take the precision f32, or the engine openvino or torch"
NO_ENGINE = "bf16 needs an engine that has it: pip install '.[openvino]' in a clone of regnety"
ALL = ("onnxruntime", "openvino", "torch")


@pytest.mark.parametrize(
    ("engine", "precision", "bf16", "installed", "chosen"),
    [
        ("auto", "auto", True, ALL, ("onnxruntime", "f32")),
        ("auto", "auto", False, ALL, ("onnxruntime", "f32")),
        ("auto", "f32", True, ALL, ("onnxruntime", "f32")),
        ("auto", "bf16", True, ALL, ("openvino", "bf16")),
        ("auto", "bf16", True, ("onnxruntime", "torch"), ("torch", "bf16")),
        ("auto", "bf16", True, ("onnxruntime",), NO_ENGINE),
        ("auto", "bf16", False, ALL, NO_BF16),
        ("auto", "bf16", None, ALL, UNKNOWN),
        ("onnxruntime", "auto", True, ALL, ("onnxruntime", "f32")),
        ("onnxruntime", "f32", False, ALL, ("onnxruntime", "f32")),
        ("onnxruntime", "bf16", True, ALL, NOT_IN_ORT),
        ("onnxruntime", "bf16", False, ALL, NOT_IN_ORT),
        ("openvino", "auto", True, ALL, ("openvino", "bf16")),
        ("openvino", "auto", False, ALL, ("openvino", "f32")),
        ("openvino", "auto", None, ALL, ("openvino", "f32")),
        ("openvino", "f32", True, ALL, ("openvino", "f32")),
        ("openvino", "bf16", True, ALL, ("openvino", "bf16")),
        ("openvino", "bf16", False, ALL, NO_BF16),
        ("torch", "auto", True, ALL, ("torch", "bf16")),
        ("torch", "auto", False, ALL, ("torch", "f32")),
        ("torch", "f32", True, ALL, ("torch", "f32")),
        ("torch", "bf16", False, ALL, NO_BF16),
        ("tensorrt", "auto", True, ALL, f"no engine named 'tensorrt'; there are auto, {', '.join(ENGINES)}"),
        ("auto", "f16", True, ALL, "no engine computes in f16; there are auto, f32, bf16, int8"),
        (
            "auto",
            "int8",
            True,
            ALL,
            "the model: is not quantized; regnety quantize makes a model of it that computes in int8",
        ),
    ],
)
def test_the_choice(
    engine: str,
    precision: str,
    bf16: bool | None,
    installed: tuple[str, ...],
    chosen: tuple[str, str] | str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "has_bf16", lambda: bf16)
    monkeypatch.setattr(registry, "find_spec", lambda name: name if name in installed else None)
    if isinstance(chosen, tuple):
        assert choose_engine(engine, precision) == chosen
    else:
        with pytest.raises(EngineError) as error:
            choose_engine(engine, precision)
        assert str(error.value) == chosen


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "int8"])
@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_what_is_chosen_runs(engine: str, precision: str) -> None:
    bundle = small_bundle()
    try:
        name, taken = choose_engine(engine, precision)
    except EngineError:
        assert precision == "bf16"
        assert not has_bf16() or (engine in ENGINES and "bf16" not in ENGINES[engine].precisions)
        return
    started = start_engine(bundle, engine=engine, precision=precision, threads=1, workers=2)
    assert (started.name, started.precision) == (name, taken)
    assert started.output_names == ("logits",)
    assert started.input_dtype == np.uint8
    assert started.input_shape[1:] == (32, 32, 3)
    wanted = start_engine(bundle, threads=1).run(PIXELS)["logits"]
    found = started.run(PIXELS)["logits"]
    assert found.shape == (1, len(LABELS))
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < (1e-5 if taken == "f32" else 0.1) * np.abs(wanted).max()


def test_the_versions_of_what_is_installed() -> None:
    assert installed_engines() == {name: version(row.package) for name, row in ENGINES.items()}


def test_the_predictor_takes_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "has_bf16", lambda: True)
    assert isinstance(start_engine(small_bundle(), threads=1), OnnxRuntimeEngine)
    assert Predictor(small_bundle()).predict(PIXELS[0])[0].error is None


@pytest.mark.parametrize(
    ("engine", "unwanted"),
    [
        ("auto", {"openvino", "openvino._pyopenvino", "torch"}),
        ("onnxruntime", {"openvino", "openvino._pyopenvino", "torch"}),
        ("openvino", {"onnxruntime", "openvino", "openvino.tools", "openvino_telemetry", "torch"}),
        ("torch", {"onnxruntime", "openvino", "openvino._pyopenvino"}),
    ],
)
def test_only_what_is_taken_is_imported(engine: str, unwanted: set[str], tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "bundle")
    code = f"""
import sys
from regnety import Bundle
from regnety.inference.engines.selection import start_engine
start_engine(Bundle.load(sys.argv[1]), engine="{engine}", threads=1)
print(*sorted({unwanted!r} & sys.modules.keys()))
"""
    result = python(code, folder)
    assert (result.stdout, result.stderr) == ("\n", "")


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_missing_engine_names_the_extra(engine: str) -> None:
    code = f"""
import sys
sys.modules["{engine}"] = None
from regnety.inference.engines.selection import start_engine
from regnety import Bundle, MissingExtraError
try: start_engine(Bundle.load("regnety_cifar10"), engine="{engine}", precision="f32", threads=1)
except MissingExtraError as error: print(error)
"""
    result = python(code)
    assert result.stdout == f"the engine {engine} needs an extra: pip install '.[{engine}]' in a clone of regnety\n", (
        result.stderr
    )


def test_a_broken_torch_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so:\\n cannot open shared object file')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from regnety import Bundle, EngineError
from regnety.inference.engines.selection import start_engine
try: start_engine(Bundle.load("regnety_cifar10"), engine="torch", precision="f32", threads=1)
except EngineError as error: print(error)
"""
    assert python(code).stdout == (
        "torch is installed but cannot be imported: libtorch_cpu.so: cannot open shared object file; reinstall it\n"
    )


def test_a_protobuf_that_onnx_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise TypeError('Descriptors cannot\\n be created directly.')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from regnety import EngineError, Predictor
try: Predictor().predict(sys.argv[1])
except EngineError as error: print(error)
"""
    result = python(code, Path(__file__).parents[3] / "examples" / "cat.png", REGNETY_CACHE=str(tmp_path / "cache"))
    assert result.stdout == (
        "the package onnx cannot be imported: Descriptors cannot be created directly.; "
        "pip install --force-reinstall onnx protobuf\n"
    ), result.stderr


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_damaged_graph_is_built_anew_once(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    bundle = Predictor(small_bundle().save(tmp_path / "bundle")).bundle
    wanted = start_engine(bundle, threads=1).run(PIXELS)["logits"]
    (graph,) = (tmp_path / "cache" / "graphs").iterdir()
    whole = graph.read_bytes()
    graph.write_bytes(whole[:100])
    started = start_engine(bundle, engine=engine, precision="f32", threads=1)
    np.testing.assert_allclose(started.run(PIXELS)["logits"], wanted, atol=1e-4)
    assert graph.read_bytes() == whole
    (warning,) = [record.getMessage() for record in caplog.records if record.module == "selection"]
    assert warning.startswith(f"{graph}: ")
    assert warning.endswith("; it is built again")


def test_a_graph_that_is_not_ours_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def own_graph(*_: Any, **__: Any) -> Path:
        return tmp_path / "mine.onnx"

    (tmp_path / "mine.onnx").write_text("precious")
    monkeypatch.setattr(selection, "graph_of", own_graph)
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(WeightsError, match=r"mine\.onnx"):
            start_engine(small_bundle(), engine=engine, threads=1)
    assert (tmp_path / "mine.onnx").read_text() == "precious"


def test_errors_are_of_the_tree() -> None:
    assert issubclass(EngineError, RegNetYError)
    assert issubclass(MissingExtraError, RegNetYError)
