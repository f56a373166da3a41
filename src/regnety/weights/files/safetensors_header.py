"""The header of a safetensors file, checked before anything is believed.

Eight bytes with the header's length, the header in JSON, then the values: one tensor after the other without gaps.
https://github.com/huggingface/safetensors#format
The header is read word by word and not as any JSON, so that what a hostile one costs is bounded: nothing in it nests,
and what may be long (names, rows of numbers) is limited.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.weights.files.arrays import shown
from regnety.weights.files.number_types import FILE_TYPES, checked_shape

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
"""The format's names of the types that can be read, to NumPy's."""

BITS = {
    **{name: 8 * FILE_TYPES[dtype].itemsize for name, dtype in TYPE_NAMES.items()},
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
    "C64": 64,
}
"""Of one element of each type that the format has."""

LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
MOST_TENSORS = 50_000
MOST_TEXT = 8 << 20
"""Bytes of the header without its spaces. What Python makes of a text may be four times as long."""

LENGTH_BYTES = 8


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
    """Whether a file that begins so is one."""
    return head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and int.from_bytes(head[:LENGTH_BYTES], "little") < 2**32


def read_header(data: Buffer) -> Header:
    """Read the header, and hold it against the size of the file.

    Raises:
        WeightsError: it is none, or does not fit; the message is the rest of "is not a whole safetensors file: ...".
    """
    if len(data) < LENGTH_BYTES:
        raise WeightsError(f"it has {len(data)} bytes, and the length of a header takes {LENGTH_BYTES}")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if length > LONGEST_HEADER:
        raise WeightsError(f"its header would be {length} bytes long, and {LONGEST_HEADER} are the most")
    if length > len(data) - LENGTH_BYTES:
        raise WeightsError(f"its header would be {length} bytes long, and {len(data) - LENGTH_BYTES} follow")
    words = _Words(data, LENGTH_BYTES, LENGTH_BYTES + length)
    rows: dict[str, _Row] = {}
    metadata: dict[str, str] = {}
    for key in words.members():
        if key == "__metadata__":
            metadata = {name: words.text() for name in words.members()}
        else:
            rows[key] = _read_row(words, key)
            if len(rows) > MOST_TENSORS:
                raise WeightsError(f"it would hold more than {MOST_TENSORS} tensors")
    words.expect_end()
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


def _read_row(words: "_Words", key: str) -> _Row:
    dtype, shape, offsets = None, None, None
    for field in words.members():
        if field == "dtype":
            dtype = words.text()
        elif field == "shape":
            shape = words.numbers()
        elif field == "data_offsets":
            offsets = words.numbers()
        else:
            raise WeightsError(f"{shown(key)} has the field {shown(field)}, which the format does not know")
    if dtype is None or shape is None or offsets is None or len(offsets) != 2:
        raise WeightsError(f"{shown(key)} does not have its type, its shape and two offsets")
    if dtype not in BITS:
        raise WeightsError(f"{shown(key)} is of type {shown(dtype)}, which the format does not know")
    return _Row(dtype, checked_shape(shape), *offsets)


def _check_places(rows: dict[str, _Row], size: int) -> None:
    """Every byte after the header belongs to exactly one tensor, and each has as many as its shape takes."""
    place = 0
    for key, row in sorted(rows.items(), key=lambda item: (item[1].begin, item[1].end)):
        if row.begin != place or row.end < place:
            raise WeightsError(f"{shown(key)} is at bytes {row.begin} to {row.end}, and the one before ends at {place}")
        bits = math.prod(row.shape) * BITS[row.dtype]
        if bits != (row.end - row.begin) * 8:
            raise WeightsError(
                f"{shown(key)} is {row.dtype} {row.shape}, which takes {-(-bits // 8)} bytes, "
                f"and has {row.end - row.begin}"
            )
        place = row.end
    if place != size:
        raise WeightsError(f"its tensors take {place} bytes, and {size} follow the header")


_SPACE = re.compile(rb"[ \t\n\r]*+")
_WORD = re.compile(
    rb"""[ \t\n\r]*+(
        "[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"(?:[ \t\n\r]*+:)?+  # a text, or a key with its colon
        | [{},]
        | \[[0-9,\ \t\n\r]{0,999}+\]                                      # a row of numbers
    )""",
    re.DOTALL | re.VERBOSE,
)
"""The pattern never goes back: a long text costs its length."""


class _Words:
    """The words of a header, one after the other."""

    def __init__(self, data: Buffer, start: int, end: int) -> None:
        self.data, self.position, self.end = data, start, end
        self.text_left = MOST_TEXT

    def members(self) -> Iterator[str]:
        """The keys of an object; whoever gets one takes its value before asking for the next."""
        keys: set[str] = set()
        word = self._next()
        if word != b"{":
            raise self._unexpected(word)
        while (word := self._next()) != b"}":
            if keys:
                if word != b",":
                    raise self._unexpected(word)
                word = self._next()
            if word[-1:] != b":":
                raise self._unexpected(word)
            key = self._decoded(word[:-1].rstrip())
            if key in keys:
                raise WeightsError(f"its header has {shown(key)} twice")
            keys.add(key)
            yield key

    def text(self) -> str:
        word = self._next()
        if word[-1:] != b'"':
            raise self._unexpected(word)
        return self._decoded(word)

    def numbers(self) -> list[int]:
        word = self._next()
        try:
            numbers = json.loads(word)
        except ValueError:
            raise self._unexpected(word) from None
        if not isinstance(numbers, list):
            raise self._unexpected(word)
        return numbers

    def expect_end(self) -> None:
        if not _SPACE.fullmatch(self.data, self.position, self.end):
            raise WeightsError(f"its header goes on after its end at byte {self.position}")

    def _next(self) -> bytes:
        found = _WORD.match(self.data, self.position, self.end)
        if found is None:
            raise WeightsError(f"its header is damaged at byte {self.position}")
        begin, self.position = found.span(1)
        self.text_left -= self.position - begin
        if self.text_left < 0:
            raise WeightsError(f"its header has more than {MOST_TEXT} bytes without spaces")
        return found[1]

    def _decoded(self, word: bytes) -> str:
        try:
            return str(json.loads(word)) if b"\\" in word else word[1:-1].decode()
        except ValueError:
            raise self._unexpected(word) from None

    def _unexpected(self, word: bytes) -> WeightsError:
        text = shown(word.decode("utf-8", "replace"))
        return WeightsError(f"its header has {text} before byte {self.position}, where it has no place")
