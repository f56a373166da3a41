"""The header of a safetensors file, checked before anything is believed.

Eight bytes with the header's length, the header in JSON, then the values: one tensor after the other without gaps.
https://github.com/huggingface/safetensors#format
"""

import math
from dataclasses import dataclass
from typing import Any

from regnety.errors import WeightsError
from regnety.files.checked_json import read_json
from regnety.files.mapped_files import Buffer
from regnety.files.number_types import FILE_TYPES, checked_shape
from regnety.text import excerpt

TYPE_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
"""The format's names of the readable types, to NumPy's."""

BITS = {
    **{name: 8 * FILE_TYPES[dtype].itemsize for name, dtype in TYPE_NAMES.items()},
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
    "C64": 64,
}
"""Bits of one element of each type of the format; those that cannot be read are needed for the check of places."""

LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit. `read_json` accepts less."""
LENGTH_BYTES = 8
FIELDS = ("dtype", "shape", "data_offsets")
"""What the header says of each tensor."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the header says of one tensor."""

    dtype: str
    """As the format calls it."""
    shape: tuple[int, ...]
    start: int
    """Where its values begin, in bytes from the beginning of the file."""


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header that fits its file."""

    entries: dict[str, Entry]
    """In the order of the header."""
    metadata: dict[str, str]


def looks_like_safetensors(head: bytes) -> bool:
    """Whether a file with this beginning is one: a length below 4 GiB, then an opening brace."""
    return head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and int.from_bytes(head[:LENGTH_BYTES], "little") < 2**32


def read_header(data: Buffer) -> Header:
    """Read the header and check it against the size of the file.

    Raises:
        WeightsError: it is damaged or does not fit; the message is the rest of "is not a whole safetensors file: ...".
    """
    if len(data) < LENGTH_BYTES:
        raise WeightsError(f"it has {len(data)} bytes; the length of the header alone takes {LENGTH_BYTES}")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if length > LONGEST_HEADER:
        raise WeightsError(f"its header would be {length} bytes long; at most {LONGEST_HEADER} are allowed")
    if length > len(data) - LENGTH_BYTES:
        raise WeightsError(f"its header would be {length} bytes long, and {len(data) - LENGTH_BYTES} follow")
    members = _parsed(data[LENGTH_BYTES : LENGTH_BYTES + length])
    metadata = members.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise WeightsError("its metadata is not a table of texts")
    rows = {key: _checked_row(key, row) for key, row in members.items()}
    _check_places(rows, len(data) - LENGTH_BYTES - length)
    values = LENGTH_BYTES + length
    entries = {key: Entry(row.dtype, row.shape, values + row.begin) for key, row in rows.items()}
    return Header(entries, metadata)


@dataclass(frozen=True, slots=True)
class _Row:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        members = read_json(text.rstrip(b" \t\r\n"))  # writers pad the header with spaces to align the values
    except WeightsError as error:
        raise WeightsError(f"its header {error}") from None
    if not isinstance(members, dict):
        raise WeightsError("its header is not a table of tensors")
    return members


def _checked_row(key: str, row: object) -> _Row:
    fields = row.keys() if isinstance(row, dict) else ()
    # The format allows no others. One that we do not know might change what the values mean.
    if unknown := [field for field in fields if field not in FIELDS]:
        raise WeightsError(f"{excerpt(key)} has the field {excerpt(unknown[0])}, which the format does not know")
    if not isinstance(row, dict) or len(row) < len(FIELDS):
        raise WeightsError(f"{excerpt(key)} does not have its type, its shape and two offsets")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise WeightsError(f"{excerpt(key)} is of type {excerpt(dtype)}, which the format does not know")
    # type() and not isinstance(): JSON's true is an int to Python.
    if not isinstance(offsets, list) or len(offsets) != 2 or any(type(at) is not int or at < 0 for at in offsets):
        raise WeightsError(f"{excerpt(key)} does not have its type, its shape and two offsets")
    return _Row(dtype, checked_shape(shape), *offsets)


def _check_places(rows: dict[str, _Row], size: int) -> None:
    """Every byte after the header belongs to exactly one tensor, and each tensor has the bytes of its shape.

    The format demands it: no gap may hide data, and no overlap may make two tensors share bytes.
    """
    place = 0
    # By both ends: an empty tensor begins where the next one does.
    for key, row in sorted(rows.items(), key=lambda item: (item[1].begin, item[1].end)):
        if row.begin != place or row.end < place:
            raise WeightsError(
                f"{excerpt(key)} is at bytes {row.begin} to {row.end}, and the one before ends at {place}"
            )
        bits = math.prod(row.shape) * BITS[row.dtype]  # not bytes: two values of type F4 share one
        if bits != (row.end - row.begin) * 8:
            raise WeightsError(
                f"{excerpt(key)} is {row.dtype} {row.shape}, which takes {-(-bits // 8)} bytes, "
                f"and has {row.end - row.begin}"
            )
        place = row.end
    if place != size:
        raise WeightsError(f"its tensors take {place} bytes, and {size} follow the header")
