"""The machine that runs a pickle: a stack, marks on it, a memo, and what instructions do with them.

Python's own machine trusts the lengths and places in a file: a pickle of 20 bytes can make it reserve gigabytes. This
one takes no more than the file has, and counts what it makes. It calls only what `pickled_globals` knows.
"""

import codecs
import struct
import sys
from collections.abc import Callable
from typing import Any

from regnety.errors import WeightsError
from regnety.files.file_contents import Opaque
from regnety.files.mapped_files import Buffer
from regnety.files.torch_files.pickled_globals import Global, call, checked_key, fill, new

STEP_BYTES = 80
"""The most that an instruction of one byte makes: an empty list (56 bytes), with its place on the stack."""
SPARE_BYTES = 32 << 20
"""What pickles may take in memory besides one and a half times their file."""
LARGEST_INTEGER = 256
"""Bytes. No honest number is longer, and Python's arithmetic and printing of long ones is slow."""


class Machine:
    """Memory and operations; the instructions are in `pickle_reading`.

    An operation raises WeightsError, or any of Python's own errors if what the pickle asks for makes no sense.

    Args:
        data: the file, or a part of it.
        start: where the first pickle begins.
        end: where the last one must have ended.
        persistent_load: what a persistent id stands for: a storage, in torch's files. None if there may be none.

    Attributes:
        position: where the next pickle begins, or what follows the last one.
    """

    def __init__(
        self,
        data: Buffer,
        start: int = 0,
        end: int | None = None,
        *,
        persistent_load: Callable[[Any], Any] | None = None,
    ) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end
        self.persistent_load = persistent_load
        # A text of n bytes takes n to 4n in Python, and most of a file are tensors, which are not read here.
        self.bytes_left = SPARE_BYTES + len(data) * 3 // 2
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def charge(self, size: int) -> None:
        """Count bytes of memory before they are taken."""
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise WeightsError("has a pickle that would take far more memory than its file")

    # What an instruction carries

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.end - self.position:
            raise ValueError
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        """The next byte."""
        if self.position >= self.end:
            raise ValueError
        self.position += 1
        return self.data[self.position - 1]

    def unsigned(self, length: int) -> int:
        """A whole number, 0 or more, of so many bytes."""
        return int.from_bytes(self.take(length), "little")

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Numbers in a form that `struct` knows."""
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def float64(self) -> float:
        """A floating-point number, the highest byte first."""
        return float(self.numbers(">d")[0])

    def line(self) -> bytes:
        """The rest of a line."""
        end = self.data.find(b"\n", self.position, self.end)
        if end < 0:
            raise ValueError
        self.charge(end - self.position)
        return self.take(end + 1 - self.position)[:-1]

    def counted(self, length: int) -> bytes:
        """Bytes after their count, which has so many bytes."""
        count = self.unsigned(length)
        self.charge(min(count, self.end - self.position))  # a count beyond the end is refused by `take`
        return self.take(count)

    def signed(self, length: int) -> int:
        """A whole number of so many bytes."""
        if length > LARGEST_INTEGER:
            raise WeightsError(f"has a whole number of {length} bytes")
        return int.from_bytes(self.take(length), "little", signed=True)

    def integer_line(self) -> int:
        """A whole number in digits; 00 and 01 are False and True."""
        line = self.line()
        if len(line) > 2 * LARGEST_INTEGER:
            raise WeightsError(f"has a whole number of {len(line)} digits")
        return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))

    def text(self, raw: bytes) -> str:
        """UTF-8, possibly with lone surrogates."""
        if not raw.isascii() and raw.translate(None, _NARROW):
            self.charge(3 * len(raw))  # a str takes for each character as much as for its widest, up to 4 bytes
        return raw.decode("utf-8", "surrogatepass")

    def old_text(self, raw: bytes) -> str | bytes:
        """Python 2's str, which may be text or bytes."""
        try:
            return self.text(raw)
        except UnicodeDecodeError:
            return raw

    def quoted_line(self) -> str | bytes:
        """Python 2's str as its repr."""
        line = self.line()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
            raise ValueError
        return self.old_text(codecs.escape_decode(line[1:-1])[0])

    def unicode_line(self) -> str:
        """Text whose wide characters are escaped."""
        line = self.line()
        self.charge(4 * len(line))
        return line.decode("raw-unicode-escape")

    # What an instruction does

    def pop(self) -> None:
        """Take the last value, or the last mark, from the stack."""
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def pop_marked(self) -> list[Any]:
        """Take all values after the last mark from the stack."""
        return self.pop_last(len(self.stack) - self.marks.pop())

    def pop_last(self, count: int) -> list[Any]:
        """Take the last values from the stack, in their order."""
        if not 0 <= count <= len(self.stack):
            raise IndexError
        start = len(self.stack) - count
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def remember(self, index: int) -> None:
        """Put the last value into the memo, for later instructions."""
        self.charge(STEP_BYTES)
        self.memo[index] = self.stack[-1]

    def append(self, values: list[Any]) -> None:
        """Append to the list on the stack."""
        target = self.stack[-1]
        if type(target) is Opaque:  # a subclass of list, which pickle fills like one
            target.items = target.items if isinstance(target.items, list) else []
            target = target.items
        if type(target) is not list:
            raise TypeError
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values, which alternate, into the dict on the stack."""
        target = self.stack[-1]
        if type(target) is Opaque:
            target.items = target.items if isinstance(target.items, dict) else {}
            target = target.items
        if type(target) is not dict:
            raise TypeError
        target.update(self.make_dict(values))

    def make_dict(self, values: list[Any]) -> dict[Any, Any]:
        """A dict of keys and values, which alternate."""
        return {checked_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}

    def make_set(self, values: list[Any]) -> set[Any]:
        """A set of values."""
        self.charge(3 * STEP_BYTES)
        return set(map(checked_key, values))

    def add(self, values: list[Any]) -> None:
        """Add to the set on the stack."""
        target = self.stack[-1]
        if type(target) is not set:
            raise TypeError
        target.update(map(checked_key, values))

    def find_global(self, module: Any, name: Any) -> Global:
        """A function or class that a pickle names; nothing is imported or looked up."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError
        self.charge(STEP_BYTES + len(module) + len(name))
        return Global(f"{module}.{name}")

    def charge_copies(self, arguments: Any) -> None:
        """Count what a function may make of its arguments."""
        # The memo lets two bytes name the same large argument again: without this, a small file could copy it without
        # end.
        self.charge(STEP_BYTES)
        for argument in arguments if isinstance(arguments, tuple) else ():
            wider = 8 if isinstance(argument, dict | list | tuple | set) else 1  # a set takes more than its list
            self.charge(wider * sys.getsizeof(argument))

    def call(self, function: Any, arguments: Any) -> Any:
        """The result of a call."""
        self.charge_copies(arguments)
        return call(function, arguments)

    def call_class(self, cls: Any, *arguments: Any) -> Any:
        """Protocol 0's way to make an object: a call of what was named."""
        return self.call(cls, arguments)

    def make(self, cls: Any, arguments: Any) -> Any:
        """An object of a class, still empty."""
        self.charge_copies(arguments)
        return new(cls, arguments)

    def fill(self, state: Any) -> None:
        """Give the object on the stack its attributes."""
        fill(self.stack[-1], state)

    def load_persistent(self, key: Any) -> Any:
        """What a persistent id stands for."""
        if self.persistent_load is None:
            raise WeightsError("has a pickle that refers to something outside of it")
        self.charge(2 * STEP_BYTES)
        return self.persistent_load(key)


_NARROW = bytes(range(0xC4))
"""The bytes of UTF-8 text whose characters Python keeps in one byte each (up to U+00FF)."""
