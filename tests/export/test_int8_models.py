"""A model in int8: it predicts, is exported and labelled as others are, and says what it cannot do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import small_bundle
from commands import python
from pictures import COLOURS, photograph
from quantized_models import coloured, features, logits_of
from regnety import (
    Bundle,
    EngineError,
    ExportError,
    Predictor,
    WeightsError,
    convert_model,
    create_model,
    explain,
    export_model,
    inspect_model,
    model_card,
)
from regnety.datasets.data_sets import read_data_set
from regnety.export.quantization import Quantized
from regnety.inference.engines.selection import start_engine
from regnety.inference.evaluation import evaluate

pytest.importorskip("nncf", reason="needs NNCF: make test installs it")


def test_predict_and_eval_compute_in_int8(folder: Path, quantized: Quantized) -> None:
    predictor = Predictor(folder / "int8")
    (answer,) = predictor.predict(folder / "data" / "red" / "000.png")
    assert answer.predictions[0].label == "red"
    assert predictor.engine is not None
    assert predictor.engine.precision == "int8"
    found = evaluate(Bundle.load(folder / "int8"), read_data_set(folder / "data").evaluation(), engine="onnxruntime")
    assert found.top1 == quantized.calibration.measured.top1_int8


def test_many_images_are_answered_by_what_is_fastest_in_int8(
    folder: Path, quantized: Quantized, monkeypatch: Any
) -> None:
    from regnety.inference import runner

    monkeypatch.setattr(runner, "LONG_S", 0.0)
    pictures = [coloured(label)[0] for label in COLOURS] * 40
    predictor = Predictor(folder / "int8")
    answers = predictor.predict(pictures)
    assert [answer.predictions[0].label for answer in answers] == list(COLOURS) * 40
    assert predictor.engine is not None
    assert predictor.engine.precision == "int8"


def test_features_are_had_from_the_same_graph(folder: Path, quantized: Quantized) -> None:
    engine = start_engine(Bundle.load(folder / "int8"), outputs=("pre_logits",), threads=1)
    wanted = features(Bundle.load(folder / "float"), coloured("red")[:1])
    found = engine.run(coloured("red")[:1])["pre_logits"]
    assert np.abs(found - wanted).max() / wanted.std() < 0.3


def test_an_answer_needs_neither_nncf_nor_torch_nor_onnx(folder: Path, quantized: Quantized) -> None:
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


@pytest.mark.parametrize("form", ["model.onnx", "model.xml", "model"])
def test_it_is_exported_as_it_is(form: str, folder: Path, quantized: Quantized, tmp_path: Path) -> None:
    exported = export_model(folder / "int8", tmp_path / form)
    assert exported.precision == "int8"
    assert exported.largest_difference <= (0.05 if form == "model.xml" else 0)
    engine = "openvino" if form == "model.xml" else "onnxruntime"
    found = Bundle.load(tmp_path / form)
    assert found.metadata == Bundle.load(folder / "int8").metadata
    wanted = logits_of(folder / "int8", engine, "int8")
    assert np.abs(logits_of(tmp_path / form, engine, "int8") - wanted).max() / wanted.std() < 0.05


def test_labels_given_later_are_in_all_files(folder: Path, quantized: Quantized, tmp_path: Path) -> None:
    names = ("bleu", "vert", "rouge")
    Bundle.load(folder / "int8").with_labels(names).save(tmp_path / "french")
    for place in ("french", "french/model.onnx"):
        assert Bundle.load(tmp_path / place).labels == names


def test_what_it_is_is_said(folder: Path, quantized: Quantized) -> None:
    found = inspect_model(folder / "int8")
    assert (found.container, found.problem) == ("regnety folder, ONNX", None)
    assert found.calibration == quantized.calibration.as_dict()
    assert found.dtypes["int8"] >= 9
    card = model_card(folder / "int8")
    assert "It was calibrated on 32 images (nncf.quantize, NNCF " in card
    assert "| 60 | 100.00 | " in card
    assert "create_model" not in card


NO_WEIGHTS = "int8: is quantized to int8 and has no float weights; use the model that it was made from$"


def test_what_needs_float_weights_says_so(folder: Path, quantized: Quantized, tmp_path: Path) -> None:
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


def test_an_int8_model_cannot_be_explained(folder: Path, quantized: Quantized) -> None:
    with pytest.raises(WeightsError) as error:
        explain(folder / "int8", photograph(40, 40))
    assert str(error.value) == (
        f"{folder}/int8: is quantized to int8, and its graph does not give the feature map; "
        "explain the model that it was made from"
    )


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
    options: dict[str, Any], error: type[Exception], message: str, folder: Path, quantized: Quantized
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
def test_forms_that_it_cannot_have(
    options: Any, message: str, folder: Path, quantized: Quantized, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=message):
        export_model(folder / "int8", tmp_path / "model.onnx", **options)
    with pytest.raises(
        WeightsError, match="int8: is quantized to int8 and has no output s1; it has pre_logits, logits"
    ):
        export_model(folder / "int8", tmp_path / "model.onnx", outputs=["s1"])
    assert list(tmp_path.iterdir()) == []
