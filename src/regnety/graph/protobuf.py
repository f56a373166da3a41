"""Protobuf's wire format, scanned in place: enough to find things in an ONNX file without loading it.

A message is a row of fields: a number, a kind, and a value, or a length and that many bytes. Nothing is copied, and
whole messages are skipped, so a file of gigabytes costs only what is read of it.
https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from regnety.files.mapped_files import Buffer

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
"""Bytes of a 64-bit number, with seven bits in each."""


class DamagedMessage(ValueError):
    """The bytes are not a protobuf message."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    kind: int
    value: int
    """The number itself if the kind is VARINT; else the place where the bytes begin."""
    end: int
    """Where the bytes end."""

    def text(self, data: Buffer) -> str:
        """The field as UTF-8."""
        return self.raw(data).decode("utf-8")

    def raw(self, data: Buffer) -> bytes:
        """A copy of the field's bytes."""
        if self.kind == VARINT:
            raise DamagedMessage(f"field {self.number} is a number, not bytes")
        return data[self.value : self.end]

    def fields(self, data: Buffer) -> "Iterator[Field]":
        """The fields of the message that this field is."""
        if self.kind != BYTES:
            raise DamagedMessage(f"field {self.number} is not a message")
        return scan(data, self.value, self.end)

    def whole_number(self) -> int:
        """The signed 64-bit number that this field is."""
        if self.kind != VARINT:
            raise DamagedMessage(f"field {self.number} is not a number")
        return _signed(self.value)

    def float32(self, data: Buffer) -> float:
        """The 32-bit floating-point number that this field is."""
        if self.kind != FIXED32:
            raise DamagedMessage(f"field {self.number} is not a floating-point number")
        (number,) = struct.unpack("<f", self.raw(data))
        return float(number)

    def whole_numbers(self, data: Buffer) -> list[int]:
        """One number, or many packed into bytes."""
        if self.kind == VARINT:  # a repeated field may be written either way
            return [_signed(self.value)]
        numbers, position = [], self.value
        while position < self.end:
            number, position = _varint(data, position, self.end)
            numbers.append(_signed(number))
        return numbers


def scan(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message between two places.

    Raises:
        DamagedMessage: a field passes the end, or its kind is unknown.
    """
    position = start
    end = len(data) if end is None else end
    while position < end:
        key, position = _varint(data, position, end)  # the number of the field, and its kind in the last three bits
        kind = key & 7
        if kind == VARINT:
            value, position = _varint(data, position, end)
            yield Field(key >> 3, kind, value, position)
            continue
        if kind == BYTES:
            length, position = _varint(data, position, end)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:  # 3 and 4, groups, are older than ONNX
            raise DamagedMessage(f"there is no field of kind {kind}")
        if length > end - position:  # compared like this, a length of 2**64 is only a number
            raise DamagedMessage(f"a field of {length} bytes has {end - position}")
        yield Field(key >> 3, kind, position, position + length)
        position += length


def _varint(data: Buffer, position: int, end: int) -> tuple[int, int]:
    """An unsigned number and the place after it."""
    number = 0
    for index in range(min(LONGEST_VARINT, end - position)):  # a hostile file could go on with high bits for ever
        byte = data[position + index]
        number |= (byte & 127) << (7 * index)
        if byte < 128:
            return number & 0xFFFF_FFFF_FFFF_FFFF, position + index + 1
    raise DamagedMessage("a number has no end")


def _signed(number: int) -> int:  # int64 is in two's complement, in ten bytes if negative
    return number - (1 << 64) if number >> 63 else number
