"""Files of a graph, written array by array: one file as protobuf would write it, or two.

protobuf needs the whole message in memory, and again as bytes. But the shapes of all arrays are known in advance, and
with them the length of every message, so the file can be written from beginning to end.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

from regnety.graph.assembly import Assembly
from regnety.graph.graph_arrays import little_endian
from regnety.graph.onnx_files import GRAPH_INITIALIZER, MODEL_GRAPH, TENSOR_RAW
from regnety.graph.protobuf import BYTES, scan

DATA_ALIGNMENT = 4096
"""Each array starts at a multiple of so many bytes, a memory page, so that it can be mapped."""


def write_one_file(path: Path, assembly: Assembly) -> None:
    """Write the model with its arrays inside: the bytes of `assembly.whole()`, up to 2 GiB."""
    before_graph, behind_graph = _split(assembly.model, MODEL_GRAPH)
    before, behind = _split(assembly.model.graph, GRAPH_INITIALIZER)
    arrays = []
    for array in assembly.arrays:
        # raw_data has the highest number of the fields that are set, so it comes last
        form = array.tensor().SerializeToString(deterministic=True) + _opening(TENSOR_RAW, array.num_bytes)
        arrays.append((_opening(GRAPH_INITIALIZER, len(form) + array.num_bytes) + form, array))
    length = len(before) + sum(len(form) + array.num_bytes for form, array in arrays) + len(behind)
    with path.open("wb") as file:
        file.write(before_graph + _opening(MODEL_GRAPH, length) + before)
        for form, array in arrays:
            file.write(form)
            file.write(little_endian(array.values()))
        file.write(behind + behind_graph)


def write_two_files(path: Path, data_path: Path, assembly: Assembly) -> None:
    """Write the model, and its arrays into another file: models of any size."""
    model = onnx.ModelProto()
    model.CopyFrom(assembly.model)
    with data_path.open("wb") as file:
        for array in assembly.arrays:
            file.seek(-file.tell() % DATA_ALIGNMENT, 1)  # what is skipped becomes zeros
            entries = {"location": data_path.name, "offset": str(file.tell()), "length": str(array.num_bytes)}
            place = [onnx.StringStringEntryProto(key=key, value=value) for key, value in entries.items()]
            model.graph.initializer.append(array.tensor(data_location=onnx.TensorProto.EXTERNAL, external_data=place))
            file.write(little_endian(array.values()))
    path.write_bytes(model.SerializeToString(deterministic=True))


def _split(message: Any, number: int) -> tuple[bytes, bytes]:
    """A message's bytes before and after a field, without it; protobuf writes fields in the order of their numbers."""
    others = type(message)()
    others.CopyFrom(message)
    # the other fields are small, so this copy is, too
    others.ClearField(message.DESCRIPTOR.fields_by_number[number].name)
    data = others.SerializeToString(deterministic=True)
    place = max((field.end for field in scan(data) if field.number < number), default=0)
    return data[:place], data[place:]


def _opening(number: int, length: int) -> bytes:
    """What precedes the bytes of a field: its number, its kind, its length."""
    return bytes(_varint(number << 3 | BYTES)) + bytes(_varint(length))


def _varint(number: int) -> Iterable[int]:
    """Seven bits in each byte, the lowest first; the highest bit says that more follow."""
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number
