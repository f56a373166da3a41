"""safetensors files, read in place and written tensor by tensor.

Not with the package safetensors: its writer takes all tensors at once, and its reader copies each out of the map.
"""

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from regnety.errors import WeightsError
from regnety.files.arrays import Array, FileWeights, StoredTensor
from regnety.files.file_contents import FileContent
from regnety.files.mapped_files import MappedFile, map_file
from regnety.files.number_types import FILE_TYPES, NUMPY_TYPES, as_bytes, read_values, unreadable
from regnety.files.safetensors_header import LENGTH_BYTES, TYPE_NAMES, read_header
from regnety.storage.replacing import replacing
from regnety.text import excerpt

HEADER_ALIGNMENT = 8
"""Bytes. The values begin at a multiple, as safetensors' own files do, so that a map of them is aligned."""

FORMAT_NAMES = {name: theirs for theirs, name in TYPE_NAMES.items() if name in NUMPY_TYPES}
"""What is written: NumPy's names of types to the format's."""


def read_safetensors(file: MappedFile) -> FileContent:
    """Read a file's header; its content is a dict of tensors in the header's order.

    Args:
        file: mapped.

    Raises:
        WeightsError: the file is damaged; the message begins with its name.
    """
    path, data = file.path, file.data
    try:
        header = read_header(data)
    except WeightsError as error:
        raise WeightsError(f"{path}: is not a whole safetensors file: {error}") from None
    tensors: dict[str, StoredTensor] = {}
    for key, entry in header.entries.items():
        dtype = TYPE_NAMES.get(entry.dtype)
        if dtype is None:
            tensors[key] = unreadable(entry.shape, entry.dtype)
        else:
            tensors[key] = StoredTensor(entry.shape, dtype, partial(read_values, data, dtype, entry.start, entry.shape))
    return FileContent(path=path, mapped=(file,), container="safetensors", content=tensors, metadata=header.metadata)


class SafetensorsWeights(FileWeights):
    """The tensors of a file, memory-mapped: the file is opened here, each tensor is read on demand.

    Raises:
        WeightsError: the file is missing or damaged; the message begins with its name.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.file = map_file(self.path)
        super().__init__(read_safetensors(self.file).content, source=str(path))


def write_safetensors(
    path: str | Path, weights: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors one after the other, the widest types first, otherwise in the given order.

    Args:
        path: where the file goes; an old one is replaced.
        weights: key to array; one array at a time is in memory.
        metadata: what the file says about itself; if None, `{"format": "pt"}`, which transformers asks for.

    Raises:
        WeightsError: an array is of a type that the format does not have; the message begins with `path`.
        OSError: the file cannot be written.
    """
    forms = {key: _form(weights, key) for key in weights}
    for key, (_, dtype) in forms.items():
        if dtype not in FORMAT_NAMES:
            raise WeightsError(f"{path}: {excerpt(key)} is of type {dtype}, which safetensors files do not have")
    # Widest first, as safetensors' own writer does: every tensor is then aligned to its type without gaps.
    order = sorted(forms, key=lambda key: -NUMPY_TYPES[forms[key][1]].itemsize)
    header: dict[str, object] = {"__metadata__": dict(metadata or {"format": "pt"})}
    end = 0
    for key in order:
        shape, dtype = forms[key]
        start, end = end, end + NUMPY_TYPES[dtype].itemsize * math.prod(shape)
        header[key] = {"dtype": FORMAT_NAMES[dtype], "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % HEADER_ALIGNMENT)  # the format allows spaces after the JSON for this
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)
        for key in order:
            array = weights[key]
            # Weights that are computed on demand might come out differently the second time; the header is written.
            assert (array.shape, array.dtype.name) == forms[key], key
            file.write(as_bytes(array))


def _form(weights: Mapping[str, Array], key: str) -> tuple[tuple[int, ...], str]:
    """Shape and type of `weights[key]`, without reading it if it is in a file."""
    if isinstance(weights, FileWeights) and (tensor := weights.tensors[key]).dtype in FILE_TYPES:
        return tensor.shape, "float32" if tensor.dtype == "bfloat16" else tensor.dtype
    array = weights[key]  # read twice, to hold one at a time: now for its type, later for its values
    return array.shape, array.dtype.name
