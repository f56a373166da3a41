"""ONNX files by their bytes: as the package `onnx` reads them, and hostile ones refused."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from bundles import small_bundle
from designs import examples
from regnety import Bundle
from regnety.errors import WeightsError
from regnety.graph import builder
from regnety.graph.builder import build_graph, graph_bytes, write_graph
from regnety.graph.onnx_files import read_onnx
from regnety.graph.onnx_nodes import read_nodes

BUNDLE = small_bundle()
OPTIONS: dict[str, Any] = {"preprocessing": BUNDLE.preprocessing, "labels": BUNDLE.labels}
SMALL_FILE = graph_bytes(build_graph(BUNDLE.architecture, BUNDLE.weights, **OPTIONS))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("largest_file", [1 << 30, 1000])
def test_arrays_are_onnx_s(dtype: Any, largest_file: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "LARGEST_FILE", largest_file)
    path = write_graph(tmp_path / "model.onnx", BUNDLE.architecture, BUNDLE.weights, dtype=dtype)
    found = read_onnx(path)
    wanted = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    assert list(found.arrays) == list(wanted)
    for name, array in wanted.items():
        values = found.arrays[name].read()
        assert values.dtype == array.dtype
        np.testing.assert_array_equal(values, array)
    assert [file.name for file in found.files] == ["model.onnx", "model.onnx.data"][: 1 if largest_file > 1000 else 2]


@pytest.mark.parametrize(
    ("options", "kind", "shape"),
    [
        ({"image_size": 32}, "uint8", (None, 32, 32, 3)),
        ({}, "uint8", (None, None, None, 3)),
        ({"input": "float", "image_size": 40}, "float", (None, 3, 40, 40)),
    ],
)
def test_input_and_outputs(options: Any, kind: str, shape: tuple[int | None, ...], tmp_path: Path) -> None:
    outputs = ("s1", "logits")
    path = write_graph(tmp_path / "model.onnx", BUNDLE.architecture, BUNDLE.weights, outputs=outputs, **options)
    graph = read_onnx(path)
    assert (graph.inputs, graph.input_kind, graph.input_shape, graph.outputs) == (("images",), kind, shape, outputs)
    assert graph.takes(options.get("image_size", 77))
    assert graph.takes(33) == ("image_size" not in options)


def test_arrays_in_the_field_for_numbers(tmp_path: Path) -> None:
    """Where other writers keep small ones."""
    model = build_graph(BUNDLE.architecture, BUNDLE.weights)
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "head.fc.bias")
    values = numpy_helper.to_array(bias)
    bias.CopyFrom(onnx.helper.make_tensor(bias.name, onnx.TensorProto.FLOAT, values.shape, values))
    (tmp_path / "model.onnx").write_bytes(graph_bytes(model))
    np.testing.assert_array_equal(read_onnx(tmp_path / "model.onnx").arrays["head.fc.bias"].read(), values)


def test_nodes_are_onnx_s(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(SMALL_FILE)
    wanted = onnx.load_from_string(SMALL_FILE).graph.node
    for found, node in zip(read_nodes(read_onnx(tmp_path / "model.onnx")), wanted, strict=True):
        assert (found.kind, found.inputs, found.outputs) == (node.op_type, tuple(node.input), tuple(node.output))
        for attribute in node.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            assert found.numbers[attribute.name] == (tuple(value) if isinstance(value, list) else (value,))


@pytest.mark.parametrize("part", range(50))
def test_truncated_files_are_one_line(part: int, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(SMALL_FILE[: len(SMALL_FILE) * part // 50 + part])
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path / "model.onnx")
    assert str(error.value).startswith(f"{tmp_path / 'model.onnx'}: ")
    assert "\n" not in str(error.value)


@given(content=st.binary(max_size=200))
@examples(300)
def test_random_bytes_are_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        Bundle.load(path)


PLACES = st.one_of(  # most bytes are weights; where nodes and properties stand is tried as often
    st.integers(0, 3000), st.integers(len(SMALL_FILE) - 4000, len(SMALL_FILE) - 1), st.integers(0, len(SMALL_FILE) - 1)
)


@given(place=PLACES, byte=st.integers(0, 255))
@examples(300)
def test_a_changed_byte_is_read_or_refused(place: int, byte: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(SMALL_FILE[:place] + bytes([byte]) + SMALL_FILE[place + 1 :])
    with suppress(WeightsError):
        bundle = Bundle.load(path)
        assert all(bundle.weights[key] is not None for key in bundle.weights)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with its arrays in a second file."""
    monkeypatch.setattr(builder, "LARGEST_FILE", 1000)
    return write_graph(tmp_path / "model.onnx", BUNDLE.architecture, BUNDLE.weights, **OPTIONS)


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../secret", "a/../../secret", "", "C:\\secret", "..\\secret", "\\\\host\\share", "a\0b"],
)
def test_files_that_are_not_beside_the_model_are_not_opened(location: str, beside: Path) -> None:
    (beside.parent.parent / "secret").write_bytes(bytes(1 << 20))
    model = onnx.load(beside, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = location
    beside.write_bytes(graph_bytes(model))
    with pytest.raises(WeightsError, match=r"is in another folder; it is not opened$"):
        Bundle.load(beside)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "offset",
            "-1",
            r"onnx: is not an ONNX file, or is damaged or cut short \('-1' is not a number of bytes\)$",
        ),
        ("offset", "1e3", r"is not a number of bytes\)$"),
        ("offset", "9" * 5000, r"is not a number of bytes\)$"),
        ("offset", "99999999", r"model\.onnx\.data: ends before stem\.weight, .* it is not whole$"),
        ("length", "99999999", r"model\.onnx\.data: ends before stem\.weight, .* it is not whole$"),
    ],
)
def test_places_that_do_not_exist(key: str, value: str, message: str, beside: Path) -> None:
    model = onnx.load(beside, load_external_data=False)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "stem.weight")
    next(entry for entry in tensor.external_data if entry.key == key).value = value
    beside.write_bytes(graph_bytes(model))
    with pytest.raises(WeightsError, match=message):
        Bundle.load(beside)


def test_the_second_file_is_missing_or_cut_off(beside: Path) -> None:
    data = beside.with_name("model.onnx.data")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"model\.onnx\.data: ends before head\.fc\.bias"):
        Bundle.load(beside)
    data.unlink()
    with pytest.raises(WeightsError, match=r"model\.onnx\.data: no such file$"):
        Bundle.load(beside)
