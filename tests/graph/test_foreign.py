"""ONNX files of other exporters: what they are, and what they are not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from foreign_models import export_with_torch, foreign_network, unfolded
from numerics import relative_error
from regnety import Bundle, Predictor
from regnety.errors import WeightsError
from regnety.graph.builder import build_graph
from regnety.graph.foreign import read_foreign
from regnety.graph.onnx_files import read_onnx
from regnety.network.creation import numpy_weights


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = foreign_network(num_classes=7)
    return export_with_torch(network, tmp_path_factory.mktemp("foreign") / "folded.onnx")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = foreign_network(num_classes=7)
    return export_with_torch(network, tmp_path_factory.mktemp("foreign") / "kept.onnx", **unfolded())


def test_every_weight_is_found_where_norms_are_kept(kept: Path) -> None:
    found, wanted = read_foreign(read_onnx(kept)), numpy_weights(foreign_network(num_classes=7))
    assert (found.name, found.architecture.num_classes) == ("regnety_002", 7)
    assert list(found.weights) == list(wanted)
    for key in wanted:
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(found.weights[key], wanted[key], err_msg=key)


def test_folded_norms_give_the_same_graph(folded: Path) -> None:
    found, wanted = read_foreign(read_onnx(folded)), numpy_weights(foreign_network(num_classes=7))
    graphs = [build_graph(found.architecture, weights) for weights in (found.weights, wanted)]
    for first, second in zip(*(graph.graph.initializer for graph in graphs), strict=True):
        pair = [onnx.numpy_helper.to_array(tensor) for tensor in (first, second)]
        assert relative_error(*pair) < 1e-6, first.name


@pytest.mark.parametrize(
    ("name", "arguments"), [("regnetx_002", {}), ("regnety_008_tv", {}), ("regnety_002", {"in_chans": 1})]
)
def test_other_designs(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    network = foreign_network(name, num_classes=3, **arguments)
    path = export_with_torch(network, tmp_path / "model.onnx", **arguments)
    bundle = Bundle.load(path)
    assert bundle.metadata.design == network.architecture.design
    assert bundle.notice is not None
    words = (
        f"model.onnx was not written by regnety; it fits {name}; it takes 64x64 pixels; for the rest the preprocessing"
    )
    assert f"{words} of {name}" in bundle.notice
    assert bundle.notice.endswith("is assumed")
    assert bundle.weights["head.fc.bias"] is not None  # the file and its weights give the same answers


def test_a_picture_is_answered(folded: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 260, 3), np.uint8)
    predictor = Predictor(folded)
    found = predictor.predict(picture, 7)[0].predictions
    network = foreign_network(num_classes=7)
    same = Bundle(predictor.bundle.metadata, numpy_weights(network))
    wanted = Predictor(same).predict(picture, 7)[0].predictions
    assert [entry.index for entry in found] == [entry.index for entry in wanted]
    assert [entry.prob for entry in found] == pytest.approx([entry.prob for entry in wanted], abs=1e-5)
    assert {entry.label for entry in found} == {None}


def changed(path: Path, folder: Path, change: Any) -> Path:
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def test_another_eps_is_taken_over(kept: Path, tmp_path: Path) -> None:
    def widen(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name == "epsilon":
                    attribute.f = 1e-2

    bundle = Bundle.load(changed(kept, tmp_path, widen))
    assert bundle.weights["head.fc.bias"] is not None  # the file and its weights give the same answers
    wanted = numpy_weights(foreign_network(num_classes=7))["stem.bn.running_var"] + np.float32(1e-2 - 1e-5)
    np.testing.assert_allclose(bundle.weights["stem.bn.running_var"], wanted, rtol=1e-6)


def test_a_classifier_written_as_product_and_sum(folded: Path, tmp_path: Path) -> None:
    def rewrite(graph: onnx.GraphProto) -> None:
        (gemm,) = (node for node in graph.node if node.op_type == "Gemm")
        (weight,) = (tensor for tensor in graph.initializer if tensor.name == gemm.input[1])
        transposed = np.ascontiguousarray(onnx.numpy_helper.to_array(weight).T)
        weight.CopyFrom(onnx.numpy_helper.from_array(transposed, weight.name))
        product = helper.make_node("MatMul", gemm.input[:2], ["product"])
        total = helper.make_node("Add", [gemm.input[2], "product"], gemm.output)
        graph.node.remove(gemm)
        graph.node.extend([product, total])

    bundle = Bundle.load(changed(folded, tmp_path, rewrite))
    assert bundle.weights["head.fc.bias"] is not None  # the file and its weights give the same answers
    wanted = numpy_weights(foreign_network(num_classes=7))
    np.testing.assert_array_equal(bundle.weights["head.fc.weight"], wanted["head.fc.weight"])


def replace_kinds(old: str, new: str) -> Any:
    def change(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            if node.op_type == old:
                node.op_type = new

    return change


def add_softmax(graph: onnx.GraphProto) -> None:
    (output,) = graph.output
    graph.node.append(helper.make_node("Softmax", [output.name], ["probabilities"]))
    output.name = "probabilities"


@pytest.mark.parametrize("change", [replace_kinds("Sigmoid", "Tanh"), add_softmax], ids=["tanh", "softmax"])
def test_a_file_that_answers_otherwise_is_refused(change: Any, folded: Path, tmp_path: Path) -> None:
    path = changed(folded, tmp_path, change)
    with pytest.raises(WeightsError, match=r"looks like a RegNet, but its outputs differ .* does not know$"):
        Predictor(path).predict(np.zeros((40, 40, 3), np.uint8))


def second_input(graph: onnx.GraphProto) -> None:
    graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))


def bytes_input(graph: onnx.GraphProto) -> None:
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def without_convolutions(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        graph.node.remove(node)


def without_classifier(graph: onnx.GraphProto) -> None:
    graph.node.remove(next(node for node in graph.node if node.op_type == "Gemm"))


def quantized(graph: onnx.GraphProto) -> None:
    graph.node.append(helper.make_node("QuantizeLinear", ["a", "b"], ["c"]))


def with_computed_weights(graph: onnx.GraphProto) -> None:
    conv = next(node for node in graph.node if node.op_type == "Conv")
    graph.node.insert(0, helper.make_node("Abs", [conv.input[1]], ["computed"]))
    conv.input[1] = "computed"


def with_one_more_layer(graph: onnx.GraphProto) -> None:
    last = [node for node in graph.node if node.op_type == "Conv"][-1]
    graph.node.append(helper.make_node("Conv", last.input, ["more"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (second_input, r"has 2 inputs \(.*, mask\), a RegNet takes one picture$"),
        (bytes_input, r"was not written by regnety, and its input is not float32 \[batch, channels, height, width\]$"),
        (without_convolutions, "has no convolution, it is not a RegNet$"),
        (without_classifier, "has 0 linear layers, a RegNet's classifier is one$"),
        (quantized, r"is quantized \(QuantizeLinear\); name the file that it was made from$"),
        (with_computed_weights, "computes 'computed', where a RegNet has fixed weights$"),
        (with_one_more_layer, r"fits none of the named models, with 71 convolutions .* and 7 classes$"),
    ],
)
def test_what_is_not_understood(change: Any, message: str, folded: Path, tmp_path: Path) -> None:
    path = changed(folded, tmp_path, change)
    with pytest.raises(WeightsError, match=message) as error:
        Bundle.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_another_network_is_refused(tmp_path: Path) -> None:
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    path = export_with_torch(torch.nn.Sequential(layers, torch.nn.Linear(8, 2)).eval(), tmp_path / "cnn.onnx")
    with pytest.raises(WeightsError, match=r"with 1 convolutions from \(8, 3, 3, 3\) to \(8, 3, 3, 3\) and 2 classes$"):
        Bundle.load(path)


@pytest.mark.filterwarnings("ignore")  # the exporters' own, of what they use of torch
@pytest.mark.parametrize("exporter", ["torchscript", "torchscript unfolded", "dynamo"])
def test_timm_s_own_network(exporter: str, timm: Any, tmp_path: Path) -> None:
    network = timm.create_model("regnety_002", pretrained=False).eval()
    path = tmp_path / "timm.onnx"
    if exporter == "dynamo":
        pytest.importorskip("onnxscript", reason="needs onnxscript, torch's newer exporter: make test-all installs it")
        torch.onnx.export(network, (torch.zeros(1, 3, 64, 64),), str(path), dynamo=True)
    else:
        export_with_torch(network, path, **(unfolded() if exporter.endswith("unfolded") else {}))
    bundle = Bundle.load(path)
    assert bundle.notice is not None
    assert "fits regnety_002;" in bundle.notice
    assert bundle.weights["head.fc.bias"] is not None  # the file and its weights give the same answers
