"""`quantize_model`: what it writes computes in int8 and answers as its source; what it refuses, and what it leaves."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundles import small_bundle
from commands import python
from pictures import photograph
from quantized_models import PICTURES, logits_of
from regnety import Bundle, DataError, ExportError, MissingExtraError, quantize_model
from regnety.export import nncf_quantization, quantization
from regnety.export.quantization import Quantized

pytest.importorskip("nncf", reason="needs NNCF: make test installs it")
ENGINES = ("onnxruntime", "openvino")


def test_what_is_written_and_what_is_said_of_it(folder: Path, quantized: Quantized) -> None:
    assert sorted(file.name for file in (folder / "int8").iterdir()) == ["README.md", "config.json", "model.onnx"]
    calibration = Bundle.load(folder / "int8").metadata.calibration
    assert calibration == quantized.calibration
    assert (calibration.num_images, calibration.seed, calibration.max_drop) == (32, 0, None)
    assert calibration.float_layers == ("s1.b1.se.fc1", "s1.b1.se.fc2", "s2.b1.se.fc1", "s2.b1.se.fc2")
    measured = calibration.measured
    assert (measured.count, measured.top1_float) == (60, 100.0)
    assert measured.top1_int8 >= 95
    assert measured.drop == measured.top1_float - measured.top1_int8
    assert quantized.agreement >= 95
    assert [(speed.engine.split()[0], speed.precision) for speed in quantized.speeds if speed.precision != "bf16"] == [
        (engine, precision) for engine in ENGINES for precision in ("f32", "int8")
    ]
    assert all(speed.latency_ms > 0 for speed in quantized.speeds)
    assert quantized.errors == ()


def test_the_graph_computes_in_int8(folder: Path, quantized: Quantized) -> None:
    """Every convolution but the squeeze-excitations' has weights of bytes, with a scale for each channel."""
    graph = onnx.load(folder / "int8" / "model.onnx").graph
    arrays = {array.name: array for array in graph.initializer}
    sources = {output: node for node in graph.node for output in node.output}
    scales = []
    for node in graph.node:
        if node.op_type == "Conv" and ".se." not in node.name:
            assert sources[node.input[0]].op_type == "DequantizeLinear"
            weight = sources[node.input[1]]
            assert (weight.op_type, arrays[weight.input[0]].data_type) == ("DequantizeLinear", onnx.TensorProto.INT8)
            scales.append(tuple(arrays[weight.input[1]].dims) == tuple(arrays[weight.input[0]].dims[:1]))
    assert len(scales) == 9
    assert all(scales)
    pixels = next(node for node in graph.node if node.op_type == "Transpose")
    assert sources[pixels.input[0]].op_type == "Cast"  # nothing rounds the picture before it is normalised


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_answer_as_the_model_did(engine: str, folder: Path, quantized: Quantized) -> None:
    wanted, found = logits_of(folder / "float", "onnxruntime", "f32"), logits_of(folder / "int8", engine, "int8")
    assert (found.argmax(1) == wanted.argmax(1)).mean() >= 0.95
    assert 1e-4 < np.abs(found - wanted).mean() / wanted.std() < 0.2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_another_draws_others(folder: Path, tmp_path: Path) -> None:
    digests = []
    for seed in (0, 0, 1):
        made = quantize_model(
            folder / "float", tmp_path / "made", calibrate=folder / "data", samples=8, seed=seed, quiet=True
        )
        digests.append((made.calibration.images_sha256, (tmp_path / "made" / "model.onnx").read_bytes()))
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]


def test_it_is_not_quantized_again(folder: Path, quantized: Quantized, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"int8: is quantized already; name the model that it was made from$"):
        quantize_model(folder / "int8", tmp_path / "again", calibrate=PICTURES)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_drop": 1.0}, DataError, "^max_drop is a loss of accuracy, .*; give data too$"),
        ({"max_drop": -1.0, "data": "data"}, ValueError, "^max_drop is in points of top-1, from 0 to 100, got -1.0$"),
        ({"samples": 7}, ValueError, "^samples must be a whole number of at least 8, got 7$"),
        ({"calibrate": PICTURES[:7]}, DataError, "^calibrate: calibration needs at least 8 photographs, there are 7$"),
        ({"calibrate": "nowhere"}, DataError, "^nowhere: there is no such folder of photographs to calibrate on$"),
        ({"data": "nowhere"}, DataError, "^nowhere: there is no such file or folder$"),
        ({"path": "model.onnx"}, ExportError, "^model.onnx: an int8 model is a folder; name one without a suffix$"),
        ({"image_size": 40, "use_test_size": True}, ValueError, "^image_size and use_test_size contradict each other"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments: dict[str, Any] = {"path": "made", "calibrate": PICTURES, "quiet": True, **options}
    with pytest.raises(error, match=message):
        quantize_model(small_bundle(), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_photographs_that_cannot_be_read_are_named_and_others_taken(folder: Path, tmp_path: Path) -> None:
    for seed in range(9):
        photograph(40, 40, seed=seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "damaged.jpg").write_bytes(b"\xff\xd8\xff" + bytes(40))
    made = quantize_model(folder / "float", tmp_path / "made", calibrate=tmp_path, samples=20, quiet=True)
    assert made.calibration.num_images == 9
    assert [error.startswith(f"{tmp_path / 'damaged.jpg'}: ") for error in made.errors] == [True]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none: has no images; calibration needs at least 8$"):
        quantize_model(folder / "float", tmp_path / "other", calibrate=tmp_path / "none", quiet=True)


def test_photographs_of_any_data_set_calibrate(tmp_path: Path) -> None:
    for seed in range(7):
        photograph(40, 40, seed=seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "t.csv").write_text("path,label\n" + "".join(f"{seed}.png,a\n" for seed in range(7)))
    with pytest.raises(DataError, match=r"t\.csv: calibration needs at least 8 photographs, there are 7$"):
        quantize_model(small_bundle(), tmp_path / "made", calibrate=tmp_path / "t.csv", quiet=True)


def test_what_stands_there_and_is_no_model_is_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("precious")
    with pytest.raises(ExportError, match=r"thesis: exists and was not written by regnety; name another folder$"):
        quantize_model(folder / "float", tmp_path / "thesis", calibrate=PICTURES)
    with pytest.raises(ExportError, match="float: is the model itself or a part of it"):
        quantize_model(folder / "float", folder / "float", calibrate=PICTURES)
    assert (tmp_path / "thesis" / "thesis.txt").read_text() == "precious"


def test_a_run_that_fails_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such\nrange")

    nncf = nncf_quantization.load_nncf()
    monkeypatch.setattr(nncf, "quantize", fails)
    with pytest.raises(ExportError, match=r"^NNCF cannot quantize the model: no such range$"):
        quantize_model(folder / "float", tmp_path / "made", calibrate=PICTURES, quiet=True)
    monkeypatch.undo()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(quantization, "measure_speeds", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quantize_model(folder / "float", tmp_path / "made", calibrate=PICTURES, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_nncf_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    """Nothing on stdout, no class of loggers for everybody, no telemetry."""
    code = (
        "import logging, sys, regnety\n"
        "regnety.quantize_model(sys.argv[1], sys.argv[2], calibrate=sys.argv[3], samples=8)\n"
        "print(logging.getLoggerClass() is logging.Logger, *sorted({'torch', 'openvino_telemetry'} & {*sys.modules}))"
    )
    found = python(code, folder / "float", tmp_path / "made", folder / "data")
    assert (found.returncode, found.stdout, found.stderr) == (0, "True\n", "")


def test_without_nncf_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(
        MissingExtraError, match=r"^quantization needs an extra: pip install '\.\[quantize\]' in a clone of regnety$"
    ):
        quantize_model(small_bundle(), tmp_path / "made", calibrate=PICTURES)
