"""Pickles, read without running anything in them.

A pickle is a program of some seventy instructions. Most push or combine data; the few that call something may call only
what `pickled_globals` knows. `pickletools` in Python's library describes every instruction.

Python's `Unpickler` with a `find_class` of ours would be shorter. But it checks no lengths against the file, and cannot
stop a pickle that asks for too much memory or time.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from regnety.errors import WeightsError
from regnety.files.torch_files.pickle_machine import STEP_BYTES, Machine

LATEST_PROTOCOL = 5
MOST_STEPS = 5_000_000
"""Instructions of a pickle; a checkpoint of the largest RegNet with its optimizer takes some 100,000. This bounds time,
as `Machine.charge` bounds memory."""


class Unpickler(Machine):
    """Reads the pickles of a file, one after the other."""

    def load(self) -> Any:
        """The object that the next pickle describes; afterwards `position` is at the end of the pickle.

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
        for _ in range(MOST_STEPS):
            if self.position >= self.end:
                raise ValueError
            code = self.data[self.position]
            self.position += 1
            if code == _STOP:
                return self.stack.pop()
            self.charge(STEP_BYTES)
            _INSTRUCTIONS[code](self)
        raise WeightsError(f"has a pickle of more than {MOST_STEPS} instructions")


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
    if machine.unsigned(8) > machine.end - machine.position:
        raise ValueError


# A table of functions, not a chain of comparisons: five million instructions are the limit, and each costs as much as
# its place in the chain.
_STOP = ord(".")

_INSTRUCTIONS: dict[int, Instruction] = {
    ord(b"\x80"): _protocol,
    ord(b"\x95"): _frame,
    # the stack and the memo
    ord(b"("): lambda machine: machine.marks.append(len(machine.stack)),
    ord(b"0"): lambda machine: machine.pop(),
    ord(b"1"): lambda machine: machine.pop_marked(),
    ord(b"2"): _pushing(lambda machine: machine.stack[-1]),
    ord(b"p"): lambda machine: machine.remember(int(machine.line())),
    ord(b"q"): lambda machine: machine.remember(machine.byte()),
    ord(b"r"): lambda machine: machine.remember(machine.unsigned(4)),
    ord(b"\x94"): lambda machine: machine.remember(len(machine.memo)),
    ord(b"g"): _pushing(lambda machine: machine.memo[int(machine.line())]),
    ord(b"h"): _pushing(lambda machine: machine.memo[machine.byte()]),
    ord(b"j"): _pushing(lambda machine: machine.memo[machine.unsigned(4)]),
    # plain values
    ord(b"N"): _pushing(lambda machine: None),
    ord(b"\x88"): _pushing(lambda machine: True),
    ord(b"\x89"): _pushing(lambda machine: False),
    ord(b"I"): _pushing(lambda machine: machine.integer_line()),
    ord(b"L"): _pushing(lambda machine: machine.integer_line()),
    ord(b"F"): _pushing(lambda machine: float(machine.line())),
    ord(b"J"): _pushing(lambda machine: machine.signed(4)),
    ord(b"K"): _pushing(lambda machine: machine.byte()),
    ord(b"M"): _pushing(lambda machine: machine.unsigned(2)),
    ord(b"\x8a"): _pushing(lambda machine: machine.signed(machine.byte())),
    ord(b"\x8b"): _pushing(lambda machine: machine.signed(machine.unsigned(4))),
    ord(b"G"): _pushing(lambda machine: machine.float64()),
    ord(b"S"): _pushing(lambda machine: machine.quoted_line()),
    ord(b"T"): _pushing(lambda machine: machine.old_text(machine.counted(4))),
    ord(b"U"): _pushing(lambda machine: machine.old_text(machine.counted(1))),
    ord(b"V"): _pushing(lambda machine: machine.unicode_line()),
    ord(b"X"): _pushing(lambda machine: machine.text(machine.counted(4))),
    ord(b"\x8c"): _pushing(lambda machine: machine.text(machine.counted(1))),
    ord(b"\x8d"): _pushing(lambda machine: machine.text(machine.counted(8))),
    ord(b"B"): _pushing(lambda machine: machine.counted(4)),
    ord(b"C"): _pushing(lambda machine: machine.counted(1)),
    ord(b"\x8e"): _pushing(lambda machine: machine.counted(8)),
    ord(b"\x96"): _pushing(lambda machine: machine.counted(8)),  # a bytearray, which is never changed here
    # containers
    ord(b"]"): _pushing(lambda machine: []),
    ord(b")"): _pushing(lambda machine: ()),
    ord(b"}"): _pushing(lambda machine: {}),
    ord(b"\x8f"): _pushing(lambda machine: machine.make_set([])),
    ord(b"l"): _pushing(lambda machine: machine.pop_marked()),
    ord(b"t"): _pushing(lambda machine: tuple(machine.pop_marked())),
    ord(b"\x85"): _pushing(lambda machine: tuple(machine.pop_last(1))),
    ord(b"\x86"): _pushing(lambda machine: tuple(machine.pop_last(2))),
    ord(b"\x87"): _pushing(lambda machine: tuple(machine.pop_last(3))),
    ord(b"d"): _pushing(lambda machine: machine.make_dict(machine.pop_marked())),
    ord(b"\x91"): _pushing(lambda machine: machine.make_set(machine.pop_marked())),
    ord(b"a"): lambda machine: machine.append(machine.pop_last(1)),
    ord(b"e"): lambda machine: machine.append(machine.pop_marked()),
    ord(b"s"): lambda machine: machine.set_items(machine.pop_last(2)),
    ord(b"u"): lambda machine: machine.set_items(machine.pop_marked()),
    ord(b"\x90"): lambda machine: machine.add(machine.pop_marked()),
    # what the pickle names
    ord(b"c"): _pushing(lambda machine: machine.find_global(machine.line().decode(), machine.line().decode())),
    ord(b"\x93"): _pushing(lambda machine: machine.find_global(*machine.pop_last(2))),
    ord(b"R"): _pushing(lambda machine: machine.call(*machine.pop_last(2))),
    ord(b"o"): _pushing(lambda machine: machine.call_class(*machine.pop_marked())),
    ord(b"i"): _pushing(
        lambda machine: machine.call_class(
            machine.find_global(machine.line().decode(), machine.line().decode()), *machine.pop_marked()
        )
    ),
    ord(b"\x81"): _pushing(lambda machine: machine.make(*machine.pop_last(2))),
    ord(b"\x92"): _pushing(lambda machine: machine.make(*machine.pop_last(3)[:2])),
    ord(b"b"): lambda machine: machine.fill(machine.stack.pop()),
    ord(b"Q"): _pushing(lambda machine: machine.load_persistent(machine.stack.pop())),
    ord(b"P"): _pushing(lambda machine: machine.load_persistent(machine.line().decode())),
}
"""Every instruction except STOP (.), and except those for registered extensions and out-of-band buffers: both refer to
something outside of the file."""
