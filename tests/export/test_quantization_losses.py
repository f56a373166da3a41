"""What int8 loses: measured, limited, and layers that go back to float32 for it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quantized_models import PICTURES, logits_of
from regnety import ExportError, quantize_model
from regnety.export import nncf_quantization, quantization

pytest.importorskip("nncf", reason="needs NNCF: make test installs it")


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
    wanted, found = logits_of(folder / "float", "onnxruntime", "f32"), logits_of(tmp_path / "made", "openvino", "int8")
    assert (found.argmax(1) == wanted.argmax(1)).mean() >= 0.95
