"""The properties of an ONNX file, read by its bytes."""

import json
from pathlib import Path

import onnx
import pytest

from bundles import small_bundle
from commands import python
from regnety.errors import WeightsError
from regnety.graph.builder import build_graph, graph_bytes, write_graph
from regnety.graph.onnx_files import read_properties
from regnety.metadata.model_metadata import KEY, metadata_from_json

BUNDLE = small_bundle(("Käse", "鮭", "a\nb", "🦆"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "model.onnx", BUNDLE.architecture, BUNDLE.weights, labels=BUNDLE.labels)


def test_what_was_written_is_read(path: Path) -> None:
    assert metadata_from_json(read_properties(path)[KEY], source="model").labels == BUNDLE.labels


def test_as_onnx_reads_them(tmp_path: Path) -> None:
    model = build_graph(BUNDLE.architecture, BUNDLE.weights)
    for key, value in (("author", "somebody"), ("empty", ""), ("", "no name"), ("long", "x" * 100_000)):
        model.metadata_props.add(key=key, value=value)
    model.doc_string = "a field that is stepped over"
    (tmp_path / "model.onnx").write_bytes(graph_bytes(model))
    wanted = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert read_properties(tmp_path / "model.onnx") == wanted


def test_neither_onnx_nor_an_engine_is_imported(path: Path) -> None:
    code = (
        "import sys, json; from regnety.graph.onnx_files import read_properties\n"
        "print(json.dumps([list(read_properties(sys.argv[1])), sorted({'onnx', 'onnxruntime'} & sys.modules.keys())]))"
    )
    assert json.loads(python(code, path).stdout) == [[KEY], []]


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.onnx: no such file$"):
        read_properties(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").touch()
    with pytest.raises(WeightsError, match=r"model\.onnx: is empty$"):
        read_properties(tmp_path / "model.onnx")


@pytest.mark.parametrize("content", [b"text", b"\x00" * 100, b"\xff" * 100, b"\x08\x08", b"PK\x03\x04" + bytes(40)])
def test_files_of_another_kind(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.onnx: is not ") as error:
        read_properties(tmp_path / "model.onnx")
    assert "\n" not in str(error.value)
