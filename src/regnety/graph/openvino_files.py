"""An OpenVINO model as a `StoredGraph`: the text of its .xml and the places of arrays in its .bin, without OpenVINO."""

from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

import numpy as np

from regnety.errors import WeightsError
from regnety.files.mapped_files import map_file
from regnety.graph.stored_graph import StoredArray, StoredGraph

DATA_SUFFIX = ".bin"  # OpenVINO looks for it under the name of the .xml
COMPRESSED = "_compressed"
"""OpenVINO adds it to the name of an array that it stores in float16."""
DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(dtype) for name, dtype in (("f64", "<f8"), ("f32", "<f4"), ("f16", "<f2"), ("i64", "<i8"))
}
KINDS: dict[str, Literal["uint8", "float"]] = {"u8": "uint8", "f32": "float"}


def read_openvino(path: str | Path) -> StoredGraph:
    """Input, outputs, properties and arrays of an OpenVINO model.

    Raises:
        WeightsError: the .xml or its .bin is missing or truncated.
    """
    path = Path(path)
    text = _Reader()
    file = map_file(path)
    try:
        text.read(file.data[:])
    except (expat.ExpatError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: is not a whole OpenVINO model: {error}") from error
    data_path = path.with_suffix(DATA_SUFFIX)
    file_beside = map_file(data_path)
    data = file_beside.data
    arrays = {}
    for name, (element_type, dims, start, length) in text.constants.items():
        if start < 0 or length < 0 or start + length > len(data):  # offsets in the text are anybody's
            raise WeightsError(f"{data_path}: ends before {name}, which {path.name} keeps there; it is not whole")
        name = name.removesuffix(COMPRESSED)
        arrays[name] = StoredArray(
            name=name, dtype=DTYPES.get(element_type), shape=dims, data=data, start=start, length=length
        )
    names = tuple(name for name, _, _ in text.inputs)
    _, kind, shape = text.inputs[0] if len(text.inputs) == 1 else ("", "", None)
    return StoredGraph(
        path=path,
        mapped=(file, file_beside),
        properties=text.properties,
        inputs=names,
        input_kind=KINDS.get(kind) if shape is not None and len(shape) == 4 else None,
        input_shape=shape,
        outputs=text.outputs(),
        arrays=arrays,
    )


class _Reader:
    """Collects what is needed while the XML is parsed, so that no tree of it is built."""

    def __init__(self) -> None:
        self.constants: dict[str, tuple[str, tuple[int, ...], int, int]] = {}
        self.inputs: list[tuple[str, str, tuple[int | None, ...]]] = []
        self.properties: dict[str, str] = {}
        self._layer: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._results: list[str] = []
        self._edges: dict[str, tuple[str, str]] = {}
        self._within: list[str] = []

    def read(self, text: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse_doctype  # entities can expand to gigabytes
        parser.Parse(text, True)
        if not self._results:
            raise ValueError("it has no output")

    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors that flow into the results, in their order."""
        # a Result layer has a name that OpenVINO made up; ours is that of the port before it
        return tuple(self._names.get(self._edges.get(result, ("", "")), "") for result in self._results)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        # <net><rt_info><regnety value="..."/>; layers have rt_info of their own
        if self._within[-2:] == ["net", "rt_info"] and "value" in attributes:
            self.properties[tag] = attributes["value"]
        elif tag == "layer":
            self._layer = attributes
            if attributes["type"] == "Result":
                self._results.append(attributes["id"])
        elif tag == "data" and self._layer.get("type") == "Parameter":
            # `?,224,224,3`: a free side is ?, one with bounds 1..8; neither is a number
            sides = (side.strip() for side in attributes["shape"].split(","))
            shape = tuple(int(side) if side.isdigit() else None for side in sides)
            self.inputs.append((self._layer["name"], attributes["element_type"], shape))
        elif tag == "data" and self._layer.get("type") == "Const":
            dims = tuple(int(side) for side in attributes["shape"].split(",") if side.strip())
            place = int(attributes["offset"]), int(attributes["size"])
            self.constants[self._layer["name"]] = (attributes["element_type"], dims, *place)
        elif tag == "port" and self._within[-1:] == ["output"]:
            self._names[self._layer["id"], attributes["id"]] = attributes.get("names", "")
        elif tag == "edge":
            self._edges[attributes["to-layer"]] = attributes["from-layer"], attributes["from-port"]
        self._within.append(tag)

    def _end(self, _: str) -> None:
        self._within.pop()


def _refuse_doctype(*_: object) -> None:
    raise ValueError("it declares a document type")
