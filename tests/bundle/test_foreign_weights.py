"""A stranger's ONNX file: nothing is made of its weights before they were found to do what it does."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from foreign_models import export_with_torch, foreign_network
from regnety import Bundle, Embedder, Predictor, create_model, export_model, inspect_model
from regnety.bundle import foreign_weights
from regnety.bundle.data_config import resolve_data_config
from regnety.errors import WeightsError
from regnety.export.conversion import convert_model

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 100, 3), np.uint8)
FREE = {"input_names": ["x"], "dynamic_axes": {"x": {2: "height", 3: "width"}}}


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_with_torch(foreign_network(num_classes=3), tmp_path_factory.mktemp("foreign") / "foreign.onnx")


def other_gates(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        node.op_type = {"Sigmoid": "Tanh"}.get(node.op_type, node.op_type)


def one_other_activation(graph: onnx.GraphProto) -> None:
    [node for node in graph.node if node.op_type == "Relu"][7].op_type = "Softplus"


def scaled_answers(graph: onnx.GraphProto) -> None:
    name = graph.output[0].name
    (last,) = (node for node in graph.node if name in node.output)
    last.output[0] = "unscaled"
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2.0), "two"))
    graph.node.append(helper.make_node("Mul", ["unscaled", "two"], [name]))


def wrong(original: Path, folder: Path, change: Callable[[onnx.GraphProto], None]) -> Path:
    model = onnx.load(original)
    change(model.graph)
    onnx.save(model, folder / "wrong.onnx")
    return folder / "wrong.onnx"


USES: dict[str, Callable[[Path, Path], Any]] = {
    "onnxruntime": lambda path, folder: Predictor(path, engine="onnxruntime").predict(PICTURE),
    "openvino": lambda path, folder: Predictor(path, engine="openvino").predict(PICTURE),
    "torch": lambda path, folder: Predictor(path, engine="torch").predict(PICTURE),
    "embeddings": lambda path, folder: Embedder(path).embed(PICTURE),
    "create_model": lambda path, folder: create_model(path),
    "other classes": lambda path, folder: create_model(path, num_classes=7),
    "save": lambda path, folder: Bundle.load(path).save(folder / "saved"),
    "convert": lambda path, folder: convert_model(path, folder / "saved.pth", to="timm"),
    "export": lambda path, folder: export_model(path, folder / "saved.onnx"),
}


@pytest.mark.parametrize("use", USES)
def test_nothing_is_made_of_a_file_that_does_something_else(use: str, original: Path, tmp_path: Path) -> None:
    path = wrong(original, tmp_path, other_gates)
    with pytest.raises(WeightsError, match=r"^.*wrong\.onnx: looks like a RegNet, but its outputs differ") as error:
        USES[use](path, tmp_path)
    assert "\n" not in str(error.value)
    assert sorted(file.name for file in tmp_path.iterdir() if file.name != "cache") == ["wrong.onnx"]


@pytest.mark.parametrize("change", [one_other_activation, scaled_answers])
def test_other_ways_to_do_something_else(change: Any, original: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="its outputs differ"):
        create_model(wrong(original, tmp_path, change))


def test_it_can_be_looked_at(original: Path, tmp_path: Path) -> None:
    path = wrong(original, tmp_path, other_gates)
    assert Bundle.load(path).architecture.num_classes == 3
    assert inspect_model(path).num_classes == 3


@pytest.mark.parametrize("use", USES)
def test_what_is_right_is_used(use: str, original: Path, tmp_path: Path) -> None:
    USES[use](original, tmp_path)


def test_a_content_is_compared_once(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    difference = foreign_weights._difference

    def counted(graph: Any, *arguments: Any) -> float:
        compared.append(graph.path.name)
        return difference(graph, *arguments)

    monkeypatch.setattr(foreign_weights, "_difference", counted)
    create_model(original)
    Bundle.load(original).save(tmp_path / "saved")
    create_model(shutil.copy2(original, tmp_path / "copy.onnx"))
    assert compared == ["foreign.onnx"]
    shutil.copyfile(wrong(original, tmp_path, other_gates), tmp_path / "copy.onnx")
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"copy\.onnx: looks like"):
            create_model(tmp_path / "copy.onnx")
    assert compared == ["foreign.onnx", "copy.onnx", "copy.onnx"]


def test_a_cache_that_cannot_be_written_costs_the_memory_only(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "file"))
    assert create_model(original).architecture.num_classes == 3


@pytest.mark.parametrize("size", [32, 96])
def test_a_fixed_height_and_width_are_the_image_size(size: int, tmp_path: Path) -> None:
    path = export_with_torch(foreign_network(num_classes=3), tmp_path / "foreign.onnx", size=size)
    bundle = Bundle.load(path)
    assert bundle.preprocessing.image_size == size
    assert resolve_data_config({}, model=path)["input_size"] == (3, size, size)
    assert bundle.notice is not None
    assert f"it takes {size}x{size} pixels; for the rest the preprocessing of regnety_002" in bundle.notice
    predictor = Predictor(path)
    predictor.predict(PICTURE)
    assert predictor.engine is not None
    assert predictor.engine.input_shape == (1, size, size, 3)


def test_free_ones_leave_what_is_assumed(tmp_path: Path) -> None:
    bundle = Bundle.load(export_with_torch(foreign_network(num_classes=3), tmp_path / "free.onnx", **FREE))
    assert bundle.preprocessing.image_size == 224
    assert bundle.notice is not None
    assert "fits regnety_002; the preprocessing of" in bundle.notice
    assert bundle.weights["head.fc.bias"].shape == (3,)


def test_a_size_that_is_no_square_is_one_line(original: Path, tmp_path: Path) -> None:
    def widen(graph: onnx.GraphProto) -> None:
        graph.input[0].type.tensor_type.shape.dim[3].dim_value = 96

    path = wrong(original, tmp_path, widen)
    with pytest.raises(WeightsError, match=r"wrong\.onnx: takes images of 64x96 pixels, but regnety feeds square ones"):
        Bundle.load(path)
