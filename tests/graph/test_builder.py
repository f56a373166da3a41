"""`build_graph` and `write_graph`: what they make, what they refuse, and what is on the disk afterwards."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from numerics import assert_same_outputs, lively_network, random_images, relative_error, run_graph, run_torch
from regnety.architecture.design import Design
from regnety.errors import WeightsError
from regnety.graph import builder
from regnety.graph.builder import build_graph, graph_bytes, write_graph
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_json
from regnety.network.creation import numpy_weights
from regnety.preprocessing import Preprocessing

NETWORK = lively_network(Design(depth=3, w0=16, wa=12, wm=2, group_width=8), num_classes=5)
ARCHITECTURE = NETWORK.architecture
WEIGHTS = numpy_weights(NETWORK)
NAMES = ("stem", "s1", "s2", "pre_logits", "logits")
EVERYTHING: dict[str, Any] = {
    "preprocessing": Preprocessing(image_size=48, crop_pct=0.9, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
    "labels": ["ant", "bee", "cat", "dög", "elk"],
    "provenance": {"license": "apache-2.0", "data": {"name": "five animals", "images": 7}},
}


@pytest.mark.parametrize("input_kind", ["uint8", "float"])
@pytest.mark.parametrize("image_size", [None, 48])
@pytest.mark.parametrize("outputs", [("logits",), ("pre_logits",), ("s1", "stem"), NAMES], ids="+".join)
def test_graph_passes_the_checker(input_kind: Any, image_size: int | None, outputs: tuple[str, ...]) -> None:
    model = build_graph(ARCHITECTURE, WEIGHTS, input=input_kind, image_size=image_size, outputs=outputs)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert tuple(output.name for output in model.graph.output) == outputs


def test_same_arguments_give_the_same_bytes() -> None:
    first, second = (graph_bytes(build_graph(ARCHITECTURE, dict(WEIGHTS), **EVERYTHING)) for _ in range(2))
    assert first == second
    other_order = {key: WEIGHTS[key] for key in reversed(WEIGHTS)}
    assert graph_bytes(build_graph(ARCHITECTURE, other_order, **EVERYTHING)) == first
    assert graph_bytes(build_graph(ARCHITECTURE, {**WEIGHTS, "head.fc.bias": np.ones(5)}, **EVERYTHING)) != first


def test_design_serves_as_architecture_of_a_thousand_classes() -> None:
    network = lively_network(ARCHITECTURE.design)
    model = build_graph(ARCHITECTURE.design, numpy_weights(network))
    assert graph_bytes(model) == graph_bytes(build_graph(network.architecture, numpy_weights(network)))
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 1000


def test_batch_height_and_width_are_dynamic() -> None:
    engine = OnnxRuntimeEngine(graph_bytes(build_graph(ARCHITECTURE, WEIGHTS, input="float", outputs=NAMES)), threads=1)
    assert engine.input_shape == (None, 3, None, None)
    for shape in ((1, 3, 32, 32), (3, 3, 32, 32), (1, 3, 47, 61), (2, 3, 61, 47)):
        images = random_images(*shape)
        assert_same_outputs(engine.run(images), run_torch(NETWORK, images), NAMES)


@pytest.mark.parametrize(
    ("input_kind", "shape", "wrong"),
    [("float", (2, 3, 48, 48), (2, 3, 48, 47)), ("uint8", (2, 48, 48, 3), (2, 49, 48, 3))],
)
def test_fixed_size_refuses_others(input_kind: Any, shape: tuple[int, ...], wrong: tuple[int, ...]) -> None:
    model = build_graph(ARCHITECTURE, WEIGHTS, input=input_kind, image_size=48, outputs=("s2", "logits"))
    engine = OnnxRuntimeEngine(graph_bytes(model), threads=1)
    assert engine.input_shape == (None, *shape[1:])
    outputs = engine.run(np.zeros(shape, engine.input_dtype))
    assert {name: value.shape for name, value in outputs.items()} == {"s2": (2, 32, 6, 6), "logits": (2, 5)}
    with pytest.raises(Exception, match="Got invalid dimensions for input: images"):
        engine.run(np.zeros(wrong, engine.input_dtype))


def test_without_classifier_the_pooled_features_are_the_last_output() -> None:
    network = lively_network(ARCHITECTURE.design, num_classes=0)
    model = build_graph(network.architecture, numpy_weights(network), input="float", outputs=("pre_logits",))
    images = random_images(1, 3, 32, 32)
    assert_same_outputs(run_graph(model, images), run_torch(network, images), ["pre_logits"])
    with pytest.raises(WeightsError, match=r"^no output named 'logits'; there are stem, s1, s2, pre_logits$"):
        build_graph(network.architecture, numpy_weights(network))


def test_layers_behind_the_last_output_are_left_away() -> None:
    model = build_graph(ARCHITECTURE, WEIGHTS, outputs=("s1",))
    assert {node.name.partition(".")[0].partition("/")[0] for node in model.graph.node} == {
        *("pixels", "planes", "centered", "normalized", "stem", "s1"),
    }
    assert not any(tensor.name.startswith(("s2", "head")) for tensor in model.graph.initializer)


def changed(**changes: object) -> dict[str, Any]:
    """The weights with some replaced; None takes one away."""
    names = {
        "stem": "stem.conv.weight",
        "squeeze": "s1.b1.se.fc1.bias",
        "bias": "head.fc.bias",
        "other": "head.fc.other",
    }
    weights = {**WEIGHTS, **{names[name]: value for name, value in changes.items()}}
    return {key: value for key, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("weights", "arguments", "message"),
    [
        (changed(bias=None), {}, r"lacks head\.fc\.bias, which the architecture expects as \(5,\)$"),
        (changed(stem=None), {}, r"lacks stem\.conv\.weight, .* \(32, 3, 3, 3\)$"),
        (changed(other=np.zeros(5)), {}, r"has head\.fc\.other, which the architecture does not know$"),
        (changed(bias=np.zeros(6)), {}, r"head\.fc\.bias is \(6,\), the architecture expects \(5,\)$"),
        (changed(squeeze=np.zeros((8, 1))), {}, r"s1\.b1\.se\.fc1\.bias is \(8, 1\), the architecture expects \(8,\)$"),
        (WEIGHTS, {"outputs": ("s3",)}, "^no output named 's3'; there are stem, s1, s2, pre_logits, logits$"),
        (WEIGHTS, {"outputs": ()}, r"^outputs must be a list of different names .* got \(\)$"),
        (WEIGHTS, {"outputs": "logits"}, "^outputs must be a list of different names .* got 'logits'$"),
        (WEIGHTS, {"outputs": ("stem", "stem")}, "^outputs must be a list of different names"),
        (WEIGHTS, {"dtype": "bfloat16"}, "^dtype must be one of f32, f16, got 'bfloat16'$"),
        (WEIGHTS, {"input": "int8"}, "^input must be one of uint8, float, got 'int8'$"),
        (WEIGHTS, {"image_size": 0}, "^image_size must be a whole number from 1 to 8192 pixels, or None, got 0$"),
        (WEIGHTS, {"image_size": 48.0}, "^image_size must be .* got 48.0$"),
        (WEIGHTS, {"image_size": True}, "^image_size must be .* got True$"),
        (WEIGHTS, {"labels": ["one", "two"]}, "^there are 2 labels for 5 classes$"),
        (WEIGHTS, {"labels": "abcde"}, "^labels must be a list of class names"),
        (WEIGHTS, {"preprocessing": Preprocessing(mean=(0.5,), std=(0.5,))}, "mean for 1 channels, the model takes 3$"),
    ],
)
def test_what_is_refused(weights: dict[str, Any], arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=message):
        build_graph(ARCHITECTURE, weights, **arguments)
    with pytest.raises(WeightsError, match=message):
        write_graph(tmp_path / "model.onnx", ARCHITECTURE, weights, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_counters_of_batches_may_be_absent() -> None:
    weights = {key: value for key, value in WEIGHTS.items() if not key.endswith("num_batches_tracked")}
    assert graph_bytes(build_graph(ARCHITECTURE, weights)) == graph_bytes(build_graph(ARCHITECTURE, WEIGHTS))


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-5), ("float32", 1e-5), ("float16", 1e-2)])
def test_weights_may_have_any_floating_point_type(dtype: str, bound: float) -> None:
    def cast(weights: Mapping[str, npt.NDArray[Any]], dtype: str) -> dict[str, npt.NDArray[Any]]:
        return {key: value.astype(dtype) if value.dtype.kind == "f" else value for key, value in weights.items()}

    model = build_graph(ARCHITECTURE, cast(WEIGHTS, dtype), input="float")
    widened = build_graph(ARCHITECTURE, cast(cast(WEIGHTS, dtype), "float64"), input="float")
    assert graph_bytes(model) == graph_bytes(widened)
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT}
    images = random_images(1, 3, 32, 32)
    assert relative_error(run_graph(model, images)["logits"], run_torch(NETWORK, images)["logits"]) < bound


@pytest.mark.parametrize("arguments", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_metadata_travels_with_the_graph(arguments: dict[str, Any]) -> None:
    model = onnx.load_from_string(graph_bytes(build_graph(ARCHITECTURE, WEIGHTS, **arguments)))
    assert [entry.key for entry in model.metadata_props] == [KEY] == ["regnety"]
    labels = arguments.get("labels")
    assert metadata_from_json(model.metadata_props[0].value, source="graph") == ModelMetadata(
        design=ARCHITECTURE.design,
        num_classes=5,
        in_chans=3,
        preprocessing=arguments.get("preprocessing", Preprocessing()),
        labels=None if labels is None else tuple(labels),
        provenance=arguments.get("provenance", {}),
    )


class FailsHalfway(Mapping[str, npt.NDArray[Any]]):
    """Weights whose disk breaks at one key."""

    def __init__(self, key: str, error: BaseException) -> None:
        self._key, self._error = key, error

    def __getitem__(self, key: str) -> npt.NDArray[Any]:
        if key == self._key:
            raise self._error
        return WEIGHTS[key]

    def __iter__(self) -> Iterator[str]:
        return iter(WEIGHTS)

    def __len__(self) -> int:
        return len(WEIGHTS)


@pytest.fixture(params=["one file", "two files"])
def file_names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What write_graph leaves: the model alone, or beside its weights where they are too many for one file."""
    if request.param == "one file":
        return ["model.onnx"]
    monkeypatch.setattr(builder, "LARGEST_FILE", 1000)
    return ["model.onnx", "model.onnx.data"]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_graph_gives_the_same_answer(file_names: list[str], tmp_path: Path) -> None:
    in_memory = build_graph_of_any_size(NAMES)
    path = write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS, input="float", outputs=NAMES, **EVERYTHING)
    assert (path, files(tmp_path)) == (tmp_path / "model.onnx", file_names)
    onnx.checker.check_model(str(path), full_check=True)
    images = random_images(2, 3, 32, 48)
    found = OnnxRuntimeEngine(path, threads=1).run(images)
    wanted = OnnxRuntimeEngine(in_memory, threads=1).run(images)
    assert all(np.array_equal(found[name], wanted[name]) for name in NAMES)
    assert (path.read_bytes() == in_memory) == (len(file_names) == 1)


def test_two_files_where_a_caller_wants_them(tmp_path: Path) -> None:
    size = sum(value.nbytes for key, value in WEIGHTS.items() if not key.endswith("tracked"))
    for largest, names in ((size // 2, ["model.onnx", "model.onnx.data"]), (2 * size, ["model.onnx"])):
        write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS, largest_file=largest)
        assert files(tmp_path) == names


def test_two_files_hold_the_same_model_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "LARGEST_FILE", 1000)
    with pytest.raises(WeightsError, match=r"over protobuf's 2 GiB; use write_graph$"):
        build_graph(ARCHITECTURE, WEIGHTS)
    first, second = (write_graph(tmp_path / name, ARCHITECTURE, WEIGHTS) for name in ("a.onnx", "b.onnx"))
    assert files(tmp_path) == ["a.onnx", "a.onnx.data", "b.onnx", "b.onnx.data"]
    assert Path(f"{first}.data").read_bytes() == Path(f"{second}.data").read_bytes()
    assert first.stat().st_size < 20_000 < Path(f"{first}.data").stat().st_size
    beside = onnx.load(first, load_external_data=False).graph.initializer
    offsets = [int(entry.value) for tensor in beside for entry in tensor.external_data if entry.key == "offset"]
    assert len(offsets) == len(beside)
    assert all(offset % 4096 == 0 for offset in offsets), "each can be memory-mapped"
    monkeypatch.undo()
    whole = onnx.load(first)
    wanted = build_graph(ARCHITECTURE, WEIGHTS)
    assert [(t.name, t.raw_data) for t in whole.graph.initializer] == [
        (t.name, t.raw_data) for t in wanted.graph.initializer
    ]
    assert whole.graph.node == wanted.graph.node
    assert whole.metadata_props == wanted.metadata_props


@pytest.mark.parametrize(
    "error", [OSError("the disk broke"), WeightsError("damaged"), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("key", ["stem.conv.weight", "s2.b1.conv2.conv.weight", "head.fc.bias"])
def test_failure_halfway_leaves_nothing(file_names: list[str], error: BaseException, key: str, tmp_path: Path) -> None:
    with pytest.raises(type(error)):
        write_graph(tmp_path / "model.onnx", ARCHITECTURE, FailsHalfway(key, error))
    assert files(tmp_path) == []


def test_failure_halfway_keeps_what_was_there(file_names: list[str], tmp_path: Path) -> None:
    path = write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    with pytest.raises(OSError, match="broke"):
        write_graph(path, ARCHITECTURE, FailsHalfway("head.fc.bias", OSError("the disk broke")))
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def build_graph_of_any_size(outputs: tuple[str, ...]) -> bytes:
    """The bytes of build_graph, whatever the limit is set to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "LARGEST_FILE", 1 << 30)
        return graph_bytes(build_graph(ARCHITECTURE, WEIGHTS, input="float", outputs=outputs, **EVERYTHING))


def test_half_precision_is_kept_and_widened(file_names: list[str], tmp_path: Path) -> None:
    """Half the bytes, and the same answers as float16 weights give that were widened before."""
    wholes = write_graph(tmp_path / "whole.onnx", ARCHITECTURE, WEIGHTS, input="float", outputs=NAMES)
    halves = write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS, input="float", outputs=NAMES, dtype="f16")
    onnx.checker.check_model(str(halves), full_check=True)
    model = onnx.load(halves)
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT16}
    if len(file_names) == 1:
        assert 0.4 < halves.stat().st_size / wholes.stat().st_size < 0.7
    images = random_images(2, 3, 32, 32)
    found, wanted = (OnnxRuntimeEngine(path, threads=1).run(images) for path in (halves, wholes))
    assert_same_outputs(found, wanted, NAMES, 1e-2)
    rounded = onnx.load(wholes)
    for tensor in rounded.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    assert_same_outputs(found, run_graph(rounded, images), NAMES, 1e-4)  # some ties are rounded twice there


def test_normalization_stays_in_single_precision() -> None:
    model = build_graph(ARCHITECTURE, WEIGHTS, dtype="float16")
    singles = [tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    assert singles == ["normalization.mean", "normalization.factor"]


def test_a_small_model_takes_the_second_file_of_a_large_one_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(builder, "LARGEST_FILE", 1000)
        write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS)
        assert files(tmp_path) == ["model.onnx", "model.onnx.data"]
    write_graph(tmp_path / "model.onnx", ARCHITECTURE, WEIGHTS)
    assert files(tmp_path) == ["model.onnx"]
