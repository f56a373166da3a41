"""OpenVINO's library alone: what it brings along, and that it leaves the package as its user expects it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from commands import python

UNWANTED = ("openvino", "openvino.tools", "openvino.tools.ovc", "openvino_telemetry", "torch", "onnx")
DOUBLE = """
import json, sys
import numpy as np

graph = sys.argv[1]

def with_ours():
    from regnety.inference.engines.openvino_runtime import load_openvino
    library = load_openvino()
    compiled = library.Core().compile_model(graph, "CPU", {})
    request = compiled.create_infer_request()
    request.set_input_tensor(library.Tensor(np.array([1, -2, 3], np.float32)))
    return list(request.infer({}, share_outputs=False, decode_strings=False).values())[0].tolist()

def with_theirs():
    import openvino
    from openvino.preprocess import PrePostProcessor
    from openvino.properties import hint
    compiled = openvino.compile_model(graph, "CPU", {hint.inference_precision(): openvino.Type.f32})
    converted = openvino.convert_model(graph)
    PrePostProcessor(converted).build()
    assert openvino.compile_model(converted, "CPU")(np.ones(3, np.float32))[0].tolist() == [2, 2, 2]
    assert issubclass(openvino.Core, sys.modules["openvino._pyopenvino"].Core)
    return compiled(np.array([1, -2, 3], np.float32))[0].tolist()
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x + x, for three numbers."""
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (3,)) for name in "xy"]
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    model = helper.make_model(
        helper.make_graph(nodes, "double", value[:1], value[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path_factory.mktemp("graph") / "double.onnx"
    onnx.save(model, path)
    return path


def answer(code: str, *arguments: object, **environment: str) -> Any:
    """What code prints as JSON in a fresh interpreter, OpenVINO's own deprecations aside."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("order", ["with_ours with_theirs", "with_theirs with_ours", "with_ours with_theirs with_ours"])
def test_both_ways_to_openvino_work_in_one_process(order: str, graph: Path) -> None:
    calls = ", ".join(f"{name}()" for name in order.split())
    assert answer(f"{DOUBLE}\nprint(json.dumps([{calls}]))", graph) == [[2, -4, 6]] * len(order.split())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all of the package is imported")
def test_nothing_else_is_loaded(graph: Path, tmp_path: Path) -> None:
    code = (
        f"{DOUBLE}\nassert with_ours() == [2, -4, 6]\nprint(json.dumps(sorted({set(UNWANTED)} & sys.modules.keys())))"
    )
    assert answer(code, graph, HOME=str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_the_plain_import_where_the_extension_does_not_load_alone(graph: Path, tmp_path: Path) -> None:
    forced = """
from regnety.inference.engines import openvino_runtime
def refuse(): raise ImportError("forced")
openvino_runtime._load_extension = refuse
"""
    code = f"{DOUBLE}{forced}\nassert with_ours() == [2, -4, 6]\nprint(json.dumps([*sys.modules]))"
    modules = answer(code, graph, HOME=str(tmp_path))
    assert "openvino" in modules
    assert not [name for name in modules if name.startswith("openvino_telemetry")]
    assert list(tmp_path.iterdir()) == []
    both = f"{DOUBLE}{forced}\nprint(json.dumps([with_ours(), with_theirs()]))"
    assert answer(both, graph) == [[2, -4, 6]] * 2


def test_an_extension_that_fails_half_way_leaves_nothing(graph: Path) -> None:
    """The package's __init__ then runs as if nothing had been tried."""
    code = """
import importlib.machinery
def fail(self, module):
    sys.modules["openvino._pyopenvino.half"] = module
    raise ImportError("an undefined symbol")
whole = importlib.machinery.ExtensionFileLoader.exec_module
from regnety.inference.engines import openvino_runtime
once = openvino_runtime._load_extension
def half():
    importlib.machinery.ExtensionFileLoader.exec_module = fail
    try: once()
    finally: importlib.machinery.ExtensionFileLoader.exec_module = whole
openvino_runtime._load_extension = half
value = with_ours()
print(json.dumps([value, [name for name in sys.modules if name.endswith(".half")]]))
"""
    assert answer(DOUBLE + code, graph) == [[2, -4, 6], []]


def test_several_threads_load_it_once(graph: Path) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(json.dumps([future.result() for future in [pool.submit(with_ours) for _ in range(8)]]))
"""
    assert answer(DOUBLE + code, graph) == [[2, -4, 6]] * 8


FAILS = """
import sys
{}
from regnety.errors import RegNetYError
from regnety.inference.engines.openvino_runtime import load_openvino
try: load_openvino()
except RegNetYError as error: print(type(error).__name__, error, sep=": ")
"""


def test_without_openvino_the_extra_is_named() -> None:
    result = python(FAILS.format("sys.modules['openvino'] = None"))
    expected = (
        "MissingExtraError: the engine openvino needs an extra: pip install '.[openvino]' in a clone of regnety\n"
    )
    assert result.stdout == expected, result.stderr


def test_a_broken_installation_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("raise TypeError('Descriptors cannot\\n be created directly')")
    result = python(FAILS.format(f"sys.path.insert(0, {str(tmp_path)!r})"))
    assert result.stdout == (
        "EngineError: openvino is installed but cannot be imported: Descriptors cannot be created directly; "
        "reinstall it\n"
    ), result.stderr


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    from regnety.inference.engines.openvino_runtime import load_openvino, openvino_version

    assert openvino_version(load_openvino()) == version("openvino")
    assert load_openvino().Tensor(np.ones(3, np.float32)).shape == [3]
