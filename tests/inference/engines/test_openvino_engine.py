"""OpenVINO: the graph's own numbers, from any thread, and a cache that is never in the way."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bundles import REGNETY_002, SMALL_DESIGN, random_weights, small_bundle
from commands import TIMEOUT_S, python
from numerics import relative_error
from regnety import EngineError, WeightsError, build_graph, write_graph
from regnety.graph.builder import graph_bytes
from regnety.inference.engines import compiled_graphs
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.openvino import OpenVinoEngine
from regnety.inference.engines.openvino_runtime import load_openvino
from regnety.inference.engines.processor import has_bf16

OUTPUTS = ("s1", "pre_logits", "logits")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 1, 32, 32, 3), np.uint8)
needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = small_bundle()
    path = tmp_path_factory.mktemp("graph") / "small.onnx"
    return write_graph(path, bundle.architecture, bundle.weights, image_size=32, outputs=OUTPUTS)


@pytest.fixture(scope="module")
def wanted(graph: Path) -> list[npt.NDArray[np.float32]]:
    """What ONNX Runtime makes of the eight pictures."""
    engine = OnnxRuntimeEngine(graph, threads=1)
    return [engine.run(images)["logits"] for images in PIXELS]


def start(graph: Path | bytes, **arguments: Any) -> OpenVinoEngine:
    return OpenVinoEngine(graph, **{"threads": 1, "batch": 1, "identity": "graph", **arguments})


def logits(engine: OpenVinoEngine) -> list[npt.NDArray[np.float32]]:
    return [engine.run(images)["logits"] for images in PIXELS]


def test_what_it_says_of_itself(graph: Path) -> None:
    engine = start(graph)
    assert (engine.name, engine.precision, engine.output_names) == ("openvino", "f32", OUTPUTS)
    assert (engine.input_shape, engine.input_dtype) == ((1, 32, 32, 3), np.uint8)
    assert start(graph, batch=None).input_shape == (None, 32, 32, 3)
    free = graph_bytes(build_graph(SMALL_DESIGN, random_weights(SMALL_DESIGN.architecture()), input="float"))
    assert start(free, batch=None).input_shape == (None, 3, None, None)
    assert start(free, batch=2).input_dtype == np.float32


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_numbers_are_the_graphs(
    threads: int, workers: int, graph: Path, wanted: list[npt.NDArray[np.float32]]
) -> None:
    for source in (graph, graph.read_bytes()):
        engine = start(source, threads=threads, workers=workers)
        assert max(map(relative_error, logits(engine), wanted)) < 1e-5
    batch = start(graph, batch=None).run(np.concatenate(PIXELS))
    assert {name: len(value) for name, value in batch.items()} == dict.fromkeys(OUTPUTS, 8)
    assert relative_error(batch["logits"], np.concatenate(wanted)) < 1e-5


def test_an_input_in_any_order_of_memory(graph: Path, wanted: list[npt.NDArray[np.float32]]) -> None:
    images = np.asfortranarray(PIXELS[0])
    images.flags.writeable = False
    assert relative_error(start(graph).run(images)["logits"], wanted[0]) < 1e-5


def test_an_answer_is_not_written_over(graph: Path) -> None:
    engine = start(graph)
    first = engine.run(PIXELS[0])
    kept = {name: value.copy() for name, value in first.items()}
    engine.run(PIXELS[1])
    for name, value in first.items():
        np.testing.assert_array_equal(value, kept[name])
        assert value.flags.owndata


def test_threads_at_once_have_the_answers_of_one(graph: Path, wanted: list[npt.NDArray[np.float32]]) -> None:
    engine, together = start(graph, workers=2), Barrier(8)
    alone = logits(engine)

    def run(number: int) -> list[npt.NDArray[np.float32]]:
        together.wait(60)
        return [engine.run(PIXELS[(number + step) % 8])["logits"] for step in range(40)]

    with ThreadPoolExecutor(8) as pool:
        for number, answers in enumerate(pool.map(run, range(8))):
            for step, answer in enumerate(answers):
                np.testing.assert_array_equal(answer, alone[(number + step) % 8])


@pytest.mark.parametrize("precision", ["f32", pytest.param("bf16", marks=needs_bf16)])
def test_the_precision_is_what_was_asked_for(precision: Any, graph: Path, tmp_path: Path) -> None:
    """Every kernel's own, as the compiled graph tells it; also where it comes from the cache."""
    for _ in range(2):
        engine = start(graph, precision=precision, cache=tmp_path / "cache")
        assert engine.precision == precision
        layers = engine._compiled.get_runtime_model().get_ops()
        kinds = {layer.rt_info["runtimePrecision"].astype(str) for layer in layers if is_convolution(layer)}
        assert kinds == {precision}


def is_convolution(layer: Any) -> bool:
    return "Convolution" in layer.rt_info["layerType"].astype(str)


@needs_bf16
def test_bf16_is_close(graph: Path, wanted: list[npt.NDArray[np.float32]]) -> None:
    found = np.concatenate(logits(start(graph, precision="bf16")))
    difference = np.abs(found - np.concatenate(wanted)).max() / np.concatenate(wanted).std()
    assert 1e-5 < difference < 5e-2


def test_its_own_format_in_float16_is_computed_in_float32(graph: Path, tmp_path: Path) -> None:
    """Weights that lose nothing in a float16 file give the answers of float32."""
    halved, converted = tmp_path / "halved.onnx", tmp_path / "halved.xml"
    halved.write_bytes(onnx_with_half_weights(graph))
    code = """
import openvino, sys
openvino.save_model(openvino.convert_model(sys.argv[1]), sys.argv[2], compress_to_fp16=True)
"""
    subprocess.run([sys.executable, "-c", code, halved, converted], capture_output=True, timeout=TIMEOUT_S, check=True)
    assert converted.with_suffix(".bin").stat().st_size < 0.6 * halved.stat().st_size
    reference = OnnxRuntimeEngine(halved, threads=1)
    for _ in range(2):
        engine = start(converted, cache=tmp_path / "cache")
        assert engine.input_shape == (1, 32, 32, 3)
        for images in PIXELS:
            assert relative_error(engine.run(images)["logits"], reference.run(images)["logits"]) < 1e-4
    assert len(list((tmp_path / "cache").iterdir())) == 1


def onnx_with_half_weights(graph: Path) -> bytes:
    """The same graph, its constants rounded to float16."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(graph)
    for constant in model.graph.initializer:
        rounded = numpy_helper.to_array(constant).astype(np.float16).astype(np.float32)
        constant.CopyFrom(numpy_helper.from_array(rounded, constant.name))
    return graph_bytes(model)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, 'onnx: Could not open the file: "{path}"'),
        (b"", "Model can't be parsed"),
        (b"no graph at all", "Model can't be parsed"),
    ],
)
def test_a_graph_that_cannot_be_loaded_is_one_line(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        start(path, cache=tmp_path / "cache")
    assert str(error.value).startswith(f"{path}: OpenVINO cannot load it: ")
    assert "\n" not in str(error.value)
    if content is None:
        assert str(error.value).endswith(reason.format(path=path))
    else:
        with pytest.raises(WeightsError, match=r"^the graph: OpenVINO cannot load it: "):
            start(content)


def test_a_precision_that_the_library_does_not_have(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_openvino()

    core = SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"])
    monkeypatch.setattr(
        "regnety.inference.engines.openvino.load_openvino",
        lambda: SimpleNamespace(Core=lambda: core, get_version=library.get_version),
    )
    with pytest.raises(EngineError, match=r"^OpenVINO does not compute in bf16 on this processor$"):
        start(graph, precision="bf16")


# The cache


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each time that a graph is compiled from scratch."""
    counted: list[object] = []
    compile_graph = OpenVinoEngine._compile

    def count(engine: OpenVinoEngine, graph: Path | bytes, batch: int | None) -> Any:
        counted.append(graph)
        return compile_graph(engine, graph, batch)

    monkeypatch.setattr(OpenVinoEngine, "_compile", count)
    return counted


def test_a_graph_is_compiled_once(graph: Path, tmp_path: Path, compilations: list[object]) -> None:
    cache = tmp_path / "cache"
    first = logits(start(graph, cache=cache))
    (kept,) = cache.iterdir()
    for arguments in ({}, {"threads": 2}, {"workers": 2}):
        np.testing.assert_allclose(logits(start(graph, cache=cache, **arguments)), first, rtol=1e-5, atol=1e-5)
    assert list(cache.iterdir()) == [kept]
    assert len(compilations) == 1


def test_what_changes_the_compiled_graph_has_a_place_of_its_own(
    graph: Path, tmp_path: Path, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, copy = tmp_path / "cache", tmp_path / "copy.onnx"
    copy.write_bytes(graph.read_bytes())
    start(graph, cache=cache)
    start(copy, cache=cache)
    start(graph.read_bytes(), cache=cache)
    assert len(compilations) == len(list(cache.iterdir())) == 1
    start(graph, cache=cache, batch=2)
    start(graph, cache=cache, identity="another")
    monkeypatch.setattr(compiled_graphs, "__version__", "next")
    start(graph, cache=cache)
    assert len(compilations) == len(list(cache.iterdir())) == 4


def test_what_nobody_can_tell_apart_is_not_kept(graph: Path, tmp_path: Path) -> None:
    start(graph, cache=tmp_path / "cache", identity=None)
    assert not (tmp_path / "cache").exists()


def damaged(whole: bytes) -> dict[str, bytes]:
    checked = compiled_graphs.FOOTER.size
    nonsense = b"not what OpenVINO writes" * 100
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "one byte short": whole[:-1],
        "one byte other": whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:],
        "footer alone": whole[-checked:],
        "zeros": bytes(len(whole)),
    } | {
        "whole and nonsense": nonsense + compiled_graphs.FOOTER.pack(len(nonsense), compiled_graphs.checksum(nonsense))
    }


@pytest.mark.parametrize("damage", list(damaged(b"x" * 2000)))
def test_a_damaged_compiled_graph_is_compiled_anew(
    damage: str, graph: Path, tmp_path: Path, compilations: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    first = logits(start(graph, cache=cache))
    (kept,) = cache.iterdir()
    kept.write_bytes(damaged(kept.read_bytes())[damage])
    np.testing.assert_array_equal(logits(start(graph, cache=cache)), first)
    assert len(compilations) == 2
    (warning,) = caplog.messages
    assert warning.startswith(f"{kept}: ")
    assert warning.endswith("; it is compiled again")
    np.testing.assert_array_equal(logits(start(graph, cache=cache)), first)
    assert len(compilations) == 2


def test_a_cache_that_cannot_be_written(
    graph: Path, tmp_path: Path, wanted: list[npt.NDArray[np.float32]], compilations: list[object]
) -> None:
    (tmp_path / "file").write_text("precious")
    for number, place in enumerate((tmp_path / "file", tmp_path / "file" / "cache", Path("/proc/cache")), start=1):
        assert max(map(relative_error, logits(start(graph, cache=place)), wanted)) < 1e-5
        assert len(compilations) == number
    assert (tmp_path / "file").read_text() == "precious"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from regnety.inference.engines.openvino import OpenVinoEngine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
kept = {"cache": Path(sys.argv[2]), "identity": "graph"}
engine = OpenVinoEngine(Path(sys.argv[1]), threads=1, batch=1, **kept)
print(float(engine.run(np.ones((1, 32, 32, 3), np.uint8))["logits"].sum()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
@pytest.mark.parametrize("room", [0, 5000, 20_000])
def test_a_full_disk(room: int, graph: Path, tmp_path: Path) -> None:
    """No file may grow beyond so many bytes; a write then fails as on a full disk, half way."""
    expected = python(FULL_DISK, graph, tmp_path / "cache", 1 << 30)
    assert expected.returncode == 0, expected.stderr
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.stat().st_size > 20_000
    result = python(FULL_DISK, graph, tmp_path / "full", room)
    assert (result.returncode, result.stdout) == (0, expected.stdout)
    (line,) = result.stderr.splitlines()
    assert line.startswith("nothing can be kept in the cache ")
    assert list((tmp_path / "full").iterdir()) == []


FILL = """
import sys, time
from pathlib import Path
import numpy as np
from regnety.inference.engines.openvino import OpenVinoEngine
from regnety.inference.engines.openvino_runtime import load_openvino
load_openvino()
print("ready", flush=True)
sys.stdin.readline()
kept = {"cache": Path(sys.argv[2]), "identity": "graph"}
engine = OpenVinoEngine(Path(sys.argv[1]), threads=1, batch=1, **kept)
print(float(engine.run(np.ones((1, 32, 32, 3), np.uint8))["logits"].sum()))
"""


def test_processes_that_fill_the_cache_at_once(graph: Path, tmp_path: Path, compilations: list[object]) -> None:
    command = [sys.executable, "-c", FILL, str(graph), str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ends = [process.communicate("go\n", timeout=TIMEOUT_S) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    assert len({out for out, _ in ends}) == 1
    assert {error for _, error in ends} == {""}
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.suffix == compiled_graphs.SUFFIX
    start(graph, cache=tmp_path / "cache")
    assert compilations == []


def test_engines_that_come_and_go(tmp_path: Path) -> None:
    """Memory that is mapped from the cache outlives what reads it, in whatever order things are freed."""
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from regnety.inference.engines.openvino import OpenVinoEngine
images = np.ones((1, 64, 64, 3), np.uint8)
for workers in range(1, 9):
    kept = {"cache": Path(sys.argv[2]), "identity": "graph"}
    engine = OpenVinoEngine(Path(sys.argv[1]), threads=1, workers=workers, batch=1, **kept)
    with ThreadPoolExecutor(workers) as pool:
        answers = [*pool.map(engine.run, [images] * 3 * workers)]
    del engine
print(len(answers))
"""
    graph = write_graph(tmp_path / "a.onnx", REGNETY_002, random_weights(REGNETY_002.architecture()), image_size=64)
    result = python(code, graph, tmp_path / "cache")
    assert (result.returncode, result.stdout, result.stderr) == (0, "24\n", "")


def test_ctrl_c_after_another_thread_has_freed_an_engine(graph: Path) -> None:
    """OpenVINO's plugin, once freed by another thread, left the first one without a stack for signals."""
    code = (
        "import os, signal, sys, threading, time\nfrom pathlib import Path\n"
        "from regnety.inference.engines.openvino import OpenVinoEngine\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "engines = [OpenVinoEngine(Path(sys.argv[1]), threads=1)]\n"
        "thread = threading.Thread(target=engines.clear); thread.start(); thread.join()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    result = python(code, graph)
    assert (result.returncode, result.stdout) == (0, "interrupted\n")
