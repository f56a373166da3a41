"""`quantize_model`: what it writes computes in int8, answers as its source, and says what it is."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundles import small_bundle
from commands import python
from pictures import COLOURS, photograph, write_colours
from quantized_models import PICTURES, colour_bundle, coloured, features
from regnety import (
    Bundle,
    DataError,
    EngineError,
    ExportError,
    MissingExtraError,
    Predictor,
    WeightsError,
    convert_model,
    create_model,
    explain,
    export_model,
    inspect_model,
    model_card,
    quantize_model,
)
from regnety.datasets.data_sets import read_data_set
from regnety.export import nncf_quantization, quantization
from regnety.inference.engines.selection import start_engine
from regnety.inference.evaluation import evaluate

pytest.importorskip("nncf", reason="needs NNCF: make test installs it")
ENGINES = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled pictures in data/, a model in float/, the same in int8/, with what was said of it in facts."""
    place = tmp_path_factory.mktemp("quantized")
    write_colours(place / "data", count=20)
    colour_bundle(place / "float")
    return place


@pytest.fixture(scope="module")
def result(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return quantize_model(
            folder / "float", folder / "int8", calibrate=folder / "data", data=folder / "data", samples=32, quiet=True
        )


def logits(model: Any, engine: str, precision: str) -> Any:
    pictures = np.concatenate([coloured(label) for label in COLOURS])
    started = start_engine(Bundle.load(model), engine=engine, precision=precision, threads=1, batch=len(pictures))
    assert started.precision == precision
    return started.run(pictures)["logits"]


def test_what_is_written_and_what_is_said_of_it(folder: Path, result: Any) -> None:
    assert sorted(file.name for file in (folder / "int8").iterdir()) == ["README.md", "config.json", "model.onnx"]
    calibration = Bundle.load(folder / "int8").metadata.calibration
    assert calibration == result.calibration
    assert (calibration.num_images, calibration.seed, calibration.max_drop) == (32, 0, None)
    assert calibration.float_layers == ("s1.b1.se.fc1", "s1.b1.se.fc2", "s2.b1.se.fc1", "s2.b1.se.fc2")
    measured = calibration.measured
    assert (measured.count, measured.top1_float) == (60, 100.0)
    assert measured.top1_int8 >= 95
    assert measured.drop == measured.top1_float - measured.top1_int8
    assert result.agreement >= 95
    assert [(speed.engine.split()[0], speed.precision) for speed in result.speeds if speed.precision != "bf16"] == [
        (engine, precision) for engine in ENGINES for precision in ("f32", "int8")
    ]
    assert all(speed.latency_ms > 0 for speed in result.speeds)
    assert result.errors == ()


def test_an_int8_model_cannot_be_explained(folder: Path, result: Any) -> None:
    with pytest.raises(WeightsError) as error:
        explain(folder / "int8", photograph(40, 40))
    assert str(error.value) == (
        f"{folder}/int8: is quantized to int8, and its graph does not give the feature map; "
        "explain the model that it was made from"
    )


def test_the_graph_computes_in_int8(folder: Path, result: Any) -> None:
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
def test_both_engines_answer_as_the_model_did(engine: str, folder: Path, result: Any) -> None:
    wanted, found = logits(folder / "float", "onnxruntime", "f32"), logits(folder / "int8", engine, "int8")
    assert (found.argmax(1) == wanted.argmax(1)).mean() >= 0.95
    assert 1e-4 < np.abs(found - wanted).mean() / wanted.std() < 0.2


def test_predict_and_eval_compute_in_int8(folder: Path, result: Any) -> None:
    predictor = Predictor(folder / "int8")
    (answer,) = predictor.predict(folder / "data" / "red" / "000.png")
    assert answer.predictions[0].label == "red"
    assert predictor.engine is not None
    assert predictor.engine.precision == "int8"
    found = evaluate(Bundle.load(folder / "int8"), read_data_set(folder / "data").evaluation(), engine="onnxruntime")
    assert found.top1 == result.calibration.measured.top1_int8


def test_many_images_are_answered_by_what_is_fastest_in_int8(folder: Path, result: Any, monkeypatch: Any) -> None:
    from regnety.inference import runner

    monkeypatch.setattr(runner, "LONG_S", 0.0)
    pictures = [coloured(label)[0] for label in COLOURS] * 40
    predictor = Predictor(folder / "int8")
    answers = predictor.predict(pictures)
    assert [answer.predictions[0].label for answer in answers] == list(COLOURS) * 40
    assert predictor.engine is not None
    assert predictor.engine.precision == "int8"


def test_features_are_had_from_the_same_graph(folder: Path, result: Any) -> None:
    engine = start_engine(Bundle.load(folder / "int8"), outputs=("pre_logits",), threads=1)
    wanted = features(Bundle.load(folder / "float"), coloured("red")[:1])
    found = engine.run(coloured("red")[:1])["pre_logits"]
    assert np.abs(found - wanted).max() / wanted.std() < 0.3


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


@pytest.mark.parametrize("form", ["model.onnx", "model.xml", "model"])
def test_it_is_exported_as_it_is(form: str, folder: Path, result: Any, tmp_path: Path) -> None:
    exported = export_model(folder / "int8", tmp_path / form)
    assert exported.precision == "int8"
    assert exported.largest_difference <= (0.05 if form == "model.xml" else 0)
    engine = "openvino" if form == "model.xml" else "onnxruntime"
    found = Bundle.load(tmp_path / form)
    assert found.metadata == Bundle.load(folder / "int8").metadata
    wanted = logits(folder / "int8", engine, "int8")
    assert np.abs(logits(tmp_path / form, engine, "int8") - wanted).max() / wanted.std() < 0.05


def test_labels_given_later_are_in_all_files(folder: Path, result: Any, tmp_path: Path) -> None:
    names = ("bleu", "vert", "rouge")
    Bundle.load(folder / "int8").with_labels(names).save(tmp_path / "french")
    for place in ("french", "french/model.onnx"):
        assert Bundle.load(tmp_path / place).labels == names


def test_what_it_is_is_said(folder: Path, result: Any) -> None:
    found = inspect_model(folder / "int8")
    assert (found.container, found.problem) == ("regnety folder, ONNX", None)
    assert found.calibration == result.calibration.as_dict()
    assert found.dtypes["int8"] >= 9
    card = model_card(folder / "int8")
    assert "It was calibrated on 32 images (nncf.quantize, NNCF " in card
    assert "| 60 | 100.00 | " in card
    assert "create_model" not in card


NO_WEIGHTS = "int8: is quantized to int8 and has no float weights; use the model that it was made from$"


def test_what_needs_float_weights_says_so(folder: Path, result: Any, tmp_path: Path) -> None:
    place = folder / "int8"
    for use in (
        lambda: Bundle.load(place).weights,
        lambda: convert_model(place, tmp_path / "model.safetensors", to="regnety"),
        lambda: convert_model(place, tmp_path / "model.onnx", to="onnx"),
        lambda: create_model(str(place)),
    ):
        with pytest.raises(WeightsError, match=NO_WEIGHTS):
            use()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "f32"}, EngineError, "int8: is quantized and computes in int8, not in f32; leave the precision"),
        ({"precision": "bf16"}, EngineError, "int8: is quantized and computes in int8, not in bf16; "),
        ({"engine": "torch"}, EngineError, "int8: is quantized, which the engine torch does not run; take another one"),
        ({"mean": 0.5}, WeightsError, "int8: is quantized to int8 with another mean or std; it cannot be changed"),
        ({"image_size": 48}, WeightsError, "int8: is quantized for pictures of 32x32 pixels, not for 48x48; .*size 48"),
    ],
)
def test_what_it_cannot_do_is_one_line(
    options: dict[str, Any], error: type[Exception], message: str, folder: Path, result: Any
) -> None:
    with pytest.raises(error, match=message) as raised:
        Predictor(folder / "int8", **options).predict(coloured("red")[0])
    assert "\n" not in str(raised.value)


def test_a_model_in_floating_point_does_not_compute_in_int8() -> None:
    with pytest.raises(EngineError, match=r"^small: is not quantized; regnety quantize makes a model of it that "):
        Predictor(small_bundle(), precision="int8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "float"}, "int8: is quantized with the normalisation inside; its input is uint8$"),
        ({"precision": "f16"}, "int8: is quantized to int8, which is smaller than f16; omit f16$"),
    ],
)
def test_forms_that_it_cannot_have(options: Any, message: str, folder: Path, result: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        export_model(folder / "int8", tmp_path / "model.onnx", **options)
    with pytest.raises(
        WeightsError, match="int8: is quantized to int8 and has no output s1; it has pre_logits, logits"
    ):
        export_model(folder / "int8", tmp_path / "model.onnx", outputs=["s1"])
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_quantized_again(folder: Path, result: Any, tmp_path: Path) -> None:
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


def ruined(layer: str) -> Any:
    """NNCF's result with the weights of one layer at zero, as long as that layer is quantized."""
    kept = nncf_quantization.quantize_graph

    def quantize(*arguments: Any) -> onnx.ModelProto:
        graph = kept(*arguments)
        for array in graph.graph.initializer:
            if array.name.startswith(f"q_output_{layer}") and array.data_type == onnx.TensorProto.INT8:
                array.raw_data = bytes(len(array.raw_data))
        return graph

    return quantize


def test_a_loss_is_measured(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "quantize_graph", ruined("head.fc.weight"))
    made = quantize_model(
        folder / "float", tmp_path / "made", calibrate=PICTURES, data=folder / "data", quiet=True
    ).calibration
    assert made.measured is not None
    assert made.measured.top1_int8 == pytest.approx(100 / 3)
    assert made.measured.drop == pytest.approx(200 / 3)


def test_a_loss_over_what_is_allowed_keeps_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_control(nncf: Any, graph: Any, pictures: Any, _: Any, *, max_drop: float) -> onnx.ModelProto:
        return ruined("head.fc.weight")(nncf, graph, pictures)  # type: ignore[no-any-return]

    monkeypatch.setattr(quantization, "quantize_graph_within", without_control)
    with pytest.raises(ExportError, match=r"made: loses 66.67 points on .*, 0.5 are allowed; nothing was kept$"):
        quantize_model(
            folder / "float", tmp_path / "made", calibrate=PICTURES, data=folder / "data", max_drop=0.5, quiet=True
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_layers_go_back_to_float32_until_no_more_is_lost(folder: Path, tmp_path: Path) -> None:
    """Calibrated on pictures of one dark colour, nothing bright is in the ranges any more."""
    dark = [np.full((40, 40, 3), 3 + number % 3, np.uint8) for number in range(16)]
    data = folder / "data"
    plain = quantize_model(folder / "float", tmp_path / "plain", calibrate=dark, data=data, quiet=True).calibration
    assert plain.measured is not None
    assert plain.measured.drop > 5
    made = quantize_model(
        folder / "float", tmp_path / "made", calibrate=dark, data=data, max_drop=1.0, quiet=True
    ).calibration
    assert made.measured is not None
    assert made.measured.drop <= 1.0
    assert made.method == "nncf.quantize_with_accuracy_control"
    assert len(made.float_layers) > len(plain.float_layers)
    wanted, found = logits(folder / "float", "onnxruntime", "f32"), logits(tmp_path / "made", "openvino", "int8")
    assert (found.argmax(1) == wanted.argmax(1)).mean() >= 0.95


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


def test_an_answer_needs_neither_nncf_nor_torch_nor_onnx(folder: Path, result: Any) -> None:
    code = (
        "import sys\nfrom regnety.cli.main import run\nstatus = run()\n"
        "print(status, *sorted({'nncf', 'torch', 'onnx', 'scipy'} & sys.modules.keys()))"
    )
    found = python(
        code, "predict", folder / "data" / "red" / "000.png", "--model", folder / "int8", "--format", "jsonl"
    )
    answer, last = found.stdout.splitlines()
    assert last == "0", found.stderr
    assert json.loads(answer)["predictions"][0]["label"] == "red"
