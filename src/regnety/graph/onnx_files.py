"""An ONNX file as a `StoredGraph`, read from its bytes: importing the package onnx takes longer than a prediction.

The numbers of fields are those of onnx.proto.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer, MappedFile, map_file
from regnety.graph.protobuf import BYTES, DamagedMessage, Field, scan
from regnety.graph.stored_graph import StoredArray, StoredGraph

MODEL_GRAPH, MODEL_PROPERTIES = 7, 14
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
TENSOR_DIMS, TENSOR_TYPE, TENSOR_FLOATS, TENSOR_NAME, TENSOR_RAW, TENSOR_EXTERNAL, TENSOR_LOCATION = (
    1,
    2,
    4,
    8,
    9,
    13,
    14,
)
FLOAT, UINT8 = 1, 2  # of TensorProto.DataType, as the numbers below
# Little-endian, as raw_data is on every machine. Those that NumPy lacks, bfloat16 for one, are not read.
DTYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(name) for number, name in ((1, "<f4"), (2, "u1"), (3, "i1"), (7, "<i8"), (10, "<f2"), (11, "<f8"))
}


def read_onnx(path: str | Path) -> StoredGraph:
    """Input, outputs, properties and arrays of an ONNX file; of the arrays only their places are read.

    Raises:
        WeightsError: the file or one that it refers to is missing or truncated, or stands in another folder.
    """
    path = Path(path)
    file = map_file(path)
    data = file.data
    properties, graph = scan_model(path, data)
    reader = ArrayReader(path, data)
    inputs: dict[str, _Value] = {}
    outputs = []
    arrays = {}
    try:
        for field in graph.fields(data):
            if field.number == GRAPH_INITIALIZER:
                array = reader.array(field)
                arrays[array.name] = array
            elif field.number == GRAPH_INPUT:
                value = _value(field, data)
                inputs[value.name] = value
            elif field.number == GRAPH_OUTPUT:
                outputs.append(_value(field, data).name)
    except WeightsError:  # which is a ValueError too
        raise
    except ValueError as error:  # a damaged message, or a text that is not UTF-8
        raise WeightsError(f"{path}: is not an ONNX file, or is damaged or cut short ({error})") from error
    # up to IR version 3 every initializer had to be listed among the inputs, and some exporters still do it
    images = [value for name, value in inputs.items() if name not in arrays]
    shape = images[0].shape if len(images) == 1 else None
    return StoredGraph(
        path=path,
        mapped=(file, *reader.files_beside),
        properties=properties,
        inputs=tuple(value.name for value in images),
        input_kind=_input_kind(images[0].element_type) if shape is not None and len(shape) == 4 else None,
        input_shape=shape,
        outputs=tuple(outputs),
        arrays=arrays,
    )


def read_properties(path: str | Path) -> dict[str, str]:
    """`metadata_props` of an ONNX file; the graph is skipped.

    Raises:
        WeightsError: the file is missing, truncated, or not ONNX.
    """
    path = Path(path)
    properties, _ = scan_model(path, map_file(path).data)
    return properties


def scan_model(path: Path, data: Buffer) -> tuple[dict[str, str], Field]:
    """The properties of an ONNX file, and the field that is its graph.

    Args:
        path: for errors.
        data: the file.

    Raises:
        WeightsError: it is not a whole ONNX file.
    """
    if not data:
        raise WeightsError(f"{path}: is empty")
    properties: dict[str, str] = {}
    graph = None
    try:
        for field in scan(data):
            # the kind too, as a number in field 7 is no graph
            if field.number == MODEL_GRAPH and field.kind == BYTES:
                graph = field
            elif field.number == MODEL_PROPERTIES:
                key, value = key_and_value(field, data)
                properties[key] = value
    except ValueError as error:
        raise WeightsError(f"{path}: is not an ONNX file, or is damaged or cut short ({error})") from error
    if graph is None:
        raise WeightsError(f"{path}: is not an ONNX file: it has no graph")
    return properties, graph


def key_and_value(entry: Field, data: Buffer) -> tuple[str, str]:
    """The two texts of a `StringStringEntryProto`."""
    texts = {field.number: field.text(data) for field in entry.fields(data)}
    return texts.get(1, ""), texts.get(2, "")


class ArrayReader:
    """The arrays of one ONNX file; each file that they refer to is opened once.

    Args:
        path: the ONNX file.
        data: its bytes.
    """

    def __init__(self, path: Path, data: Buffer) -> None:
        self._path = path
        self._data = data
        self._beside: dict[Path, MappedFile] = {}

    @property
    def files_beside(self) -> tuple[MappedFile, ...]:
        """The files that arrays were found in, apart from the ONNX file itself."""
        return tuple(self._beside.values())

    def array(self, tensor: Field) -> StoredArray:
        """A `TensorProto`.

        Raises:
            DamagedMessage: it is not one.
            WeightsError: it is in a file that is missing, too short or in another folder.
        """
        data = self._data
        name, number, dims, external, entries = "", 0, [], False, {}
        where: tuple[int, int] | None = None
        for field in tensor.fields(data):
            if field.number == TENSOR_DIMS:
                dims += field.whole_numbers(data)
            elif field.number == TENSOR_TYPE:
                number = field.whole_number()
            elif field.number == TENSOR_NAME:
                name = field.text(data)
            elif field.number in (TENSOR_RAW, TENSOR_FLOATS):  # packed floats have the bytes of raw data
                where = field.value, field.end - field.value
            elif field.number == TENSOR_LOCATION:
                external = field.whole_number() == 1
            elif field.number == TENSOR_EXTERNAL:
                key, value = key_and_value(field, data)
                entries[key] = value
        if any(side < 0 for side in dims):  # two of them would have a product that fits the bytes
            raise DamagedMessage(f"{name} has the shape {tuple(dims)}")
        dtype, shape = DTYPES.get(number), tuple(dims)
        if external:
            held, start, length = self._find_beside(name, entries)
            return StoredArray(name=name, dtype=dtype, shape=shape, data=held, start=start, length=length)
        if where is None:
            return StoredArray(name=name, dtype=dtype, shape=shape, data=None)
        return StoredArray(name=name, dtype=dtype, shape=shape, data=data, start=where[0], length=where[1])

    def _find_beside(self, name: str, entries: dict[str, str]) -> tuple[Buffer, int, int]:
        location = entries.get("location", "")
        if not _is_beside(location):  # a hostile file could name any file of this user
            raise WeightsError(
                f"{self._path}: {name} is kept in {location!r}, which is in another folder; it is not opened"
            )
        path = self._path.parent / location
        if path not in self._beside:
            self._beside[path] = map_file(path)
        held = self._beside[path].data
        start = _count(entries.get("offset", "0"))
        length = _count(entries.get("length", str(max(0, len(held) - start))))
        if start + length > len(held):
            raise WeightsError(f"{path}: ends before {name}, which {self._path.name} keeps there; it is not whole")
        return held, start, length


@dataclass(frozen=True, slots=True)
class _Value:
    """An input or output of the graph."""

    name: str
    element_type: int
    shape: tuple[int | None, ...] | None


def _value(info: Field, data: Buffer) -> _Value:
    """A `ValueInfoProto`: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 } } }."""
    name, element_type, shape = "", 0, None
    for field in info.fields(data):
        if field.number == 1:
            name = field.text(data)
        elif field.number == 2:
            for tensor_type in (inner for inner in field.fields(data) if inner.number == 1):
                for part in tensor_type.fields(data):
                    if part.number == 1:
                        element_type = part.whole_number()
                    elif part.number == 2:
                        shape = tuple(_side(dim, data) for dim in part.fields(data) if dim.number == 1)
    return _Value(name, element_type, shape)


def _side(dim: Field, data: Buffer) -> int | None:
    """A `Dimension`: dim_value = 1, or a name, which is a free one."""
    for field in dim.fields(data):
        if field.number == 1:
            return field.whole_number()
    return None


def _input_kind(element_type: int) -> Literal["uint8", "float"] | None:
    if element_type == UINT8:
        return "uint8"
    return "float" if element_type == FLOAT else None


def _is_beside(location: str) -> bool:
    """Whether it is a plain relative path downwards, on Windows and elsewhere: the file may come from either."""
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    plain = bool(location) and "\0" not in location and not posix.is_absolute() and not windows.anchor
    return plain and ".." not in posix.parts and ".." not in windows.parts


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:  # digits of the largest 64-bit number
        raise DamagedMessage(f"{text[:40]!r} is not a number of bytes")
    return int(text)
