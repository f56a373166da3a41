"""The properties of an ONNX file: design, preprocessing and labels, read without the package onnx or the weights."""

from pathlib import Path

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer, map_file
from regnety.graph.protobuf import BYTES, Field, scan

MODEL_GRAPH, MODEL_PROPERTIES = 7, 14
"""Fields of `ModelProto` in onnx.proto."""


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
        raise WeightsError(f"{path}: is not a whole ONNX file: {error}") from error
    if graph is None:
        raise WeightsError(f"{path}: is not an ONNX file: it has no graph")
    return properties, graph


def key_and_value(entry: Field, data: Buffer) -> tuple[str, str]:
    """The two texts of a `StringStringEntryProto`."""
    texts = {field.number: field.text(data) for field in entry.fields(data)}
    return texts.get(1, ""), texts.get(2, "")
