"""Pickles, read without running anything of them.

A pickle is a program of some seventy instructions; most push or combine data, and the few that call something call
what `pickled_globals` knows. `pickletools` of Python's own library describes every instruction.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from regnety.errors import WeightsError
from regnety.weights.files.pickle_machine import Machine

LATEST_PROTOCOL = 5


class Unpickler(Machine):
    """Reads the pickles that stand one after the other in a file."""

    def load(self) -> Any:
        """The object that the next pickle describes; `position` is behind it afterwards.

        Raises:
            WeightsError: the pickle is damaged, would run something, or would take far more memory than its file.
        """
        self.stack, self.marks, self.memo = [], [], {}
        start = self.position
        try:
            return self._run()
        except WeightsError:
            raise
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, struct.error):
            raise WeightsError(
                f"has a pickle that begins at byte {start} and is damaged at byte {self.position}"
            ) from None

    def _run(self) -> Any:
        while self.position < self.end:
            code = self.data[self.position : self.position + 1]
            self.position += 1
            if code == b".":
                return self.stack.pop()
            self.step()
            _INSTRUCTIONS[code](self)
        raise ValueError


Instruction: TypeAlias = Callable[[Unpickler], object]


def _pushing(value: Callable[[Unpickler], Any]) -> Instruction:
    """An instruction that leaves a value on the stack."""

    def push(machine: Unpickler) -> None:
        machine.stack.append(value(machine))

    return push


def _protocol(machine: Unpickler) -> None:
    if machine.take(1)[0] > LATEST_PROTOCOL:
        raise ValueError


def _frame(machine: Unpickler) -> None:
    if machine.number("<Q") > machine.end - machine.position:
        raise ValueError


_INSTRUCTIONS: dict[bytes, Instruction] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    # the stack and the memo
    b"(": lambda machine: machine.marks.append(len(machine.stack)),
    b"0": lambda machine: machine.pop(),
    b"1": lambda machine: machine.pop_marked(),
    b"2": _pushing(lambda machine: machine.stack[-1]),
    b"p": lambda machine: machine.remember(int(machine.line())),
    b"q": lambda machine: machine.remember(machine.number("<B")),
    b"r": lambda machine: machine.remember(machine.number("<I")),
    b"\x94": lambda machine: machine.remember(len(machine.memo)),
    b"g": _pushing(lambda machine: machine.memo[int(machine.line())]),
    b"h": _pushing(lambda machine: machine.memo[machine.number("<B")]),
    b"j": _pushing(lambda machine: machine.memo[machine.number("<I")]),
    # plain values
    b"N": _pushing(lambda machine: None),
    b"\x88": _pushing(lambda machine: True),
    b"\x89": _pushing(lambda machine: False),
    b"I": _pushing(lambda machine: machine.integer_line()),
    b"L": _pushing(lambda machine: machine.integer_line()),
    b"F": _pushing(lambda machine: float(machine.line())),
    b"J": _pushing(lambda machine: machine.number("<i")),
    b"K": _pushing(lambda machine: machine.number("<B")),
    b"M": _pushing(lambda machine: machine.number("<H")),
    b"\x8a": _pushing(lambda machine: machine.integer(machine.number("<B"))),
    b"\x8b": _pushing(lambda machine: machine.integer(machine.number("<I"))),
    b"G": _pushing(lambda machine: machine.number(">d")),
    b"S": _pushing(lambda machine: machine.quoted_line()),
    b"T": _pushing(lambda machine: machine.old_text(machine.counted("<I"))),
    b"U": _pushing(lambda machine: machine.old_text(machine.counted("<B"))),
    b"V": _pushing(lambda machine: machine.unicode_line()),
    b"X": _pushing(lambda machine: machine.text(machine.counted("<I"))),
    b"\x8c": _pushing(lambda machine: machine.text(machine.counted("<B"))),
    b"\x8d": _pushing(lambda machine: machine.text(machine.counted("<Q"))),
    b"B": _pushing(lambda machine: machine.counted("<I")),
    b"C": _pushing(lambda machine: machine.counted("<B")),
    b"\x8e": _pushing(lambda machine: machine.counted("<Q")),
    b"\x96": _pushing(lambda machine: machine.counted("<Q")),  # a bytearray, which nobody changes here
    # containers
    b"]": _pushing(lambda machine: []),
    b")": _pushing(lambda machine: ()),
    b"}": _pushing(lambda machine: {}),
    b"\x8f": _pushing(lambda machine: machine.make_set([])),
    b"l": _pushing(lambda machine: machine.pop_marked()),
    b"t": _pushing(lambda machine: tuple(machine.pop_marked())),
    b"\x85": _pushing(lambda machine: tuple(machine.pop_last(1))),
    b"\x86": _pushing(lambda machine: tuple(machine.pop_last(2))),
    b"\x87": _pushing(lambda machine: tuple(machine.pop_last(3))),
    b"d": _pushing(lambda machine: machine.make_dict(machine.pop_marked())),
    b"\x91": _pushing(lambda machine: machine.make_set(machine.pop_marked())),
    b"a": lambda machine: machine.append(machine.pop_last(1)),
    b"e": lambda machine: machine.append(machine.pop_marked()),
    b"s": lambda machine: machine.set_items(machine.pop_last(2)),
    b"u": lambda machine: machine.set_items(machine.pop_marked()),
    b"\x90": lambda machine: machine.add(machine.pop_marked()),
    # what the pickle names
    b"c": _pushing(lambda machine: machine.find_global(machine.line().decode(), machine.line().decode())),
    b"\x93": _pushing(lambda machine: machine.find_global(*machine.pop_last(2))),
    b"R": _pushing(lambda machine: machine.call(*machine.pop_last(2))),
    b"o": _pushing(lambda machine: machine.call_class(*machine.pop_marked())),
    b"i": _pushing(
        lambda machine: machine.call_class(
            machine.find_global(machine.line().decode(), machine.line().decode()), *machine.pop_marked()
        )
    ),
    b"\x81": _pushing(lambda machine: machine.make(*machine.pop_last(2))),
    b"\x92": _pushing(lambda machine: machine.make(*machine.pop_last(3)[:2])),
    b"b": lambda machine: machine.fill(machine.stack.pop()),
    b"Q": _pushing(lambda machine: machine.load_persistent(machine.stack.pop())),
    b"P": _pushing(lambda machine: machine.load_persistent(machine.line().decode())),
}
"""Every instruction but the last one (.), and those for registered extensions and buffers outside of the pickle."""
