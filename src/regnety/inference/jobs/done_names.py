"""Which images of a listing have their rows already, without holding their names."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


class DoneNames:
    """The names of what is done, in the order in which it was done, each of which is taken once.

    A name is what tells one image from another (`identity.py`), not the spelling that its row has.

    A listing that has not changed gives the same names in the same order: one part's are held at a time. Where a file
    was added, removed or renamed since, names are looked for by their hashes, 16 bytes each, and what is found is
    compared as a whole: two names of one hash are still two images.

    Args:
        read: the names of a part, by its number; called as they are needed.
        sizes: how many names each part has.
    """

    def __init__(self, read: Callable[[int], Sequence[str]], sizes: Sequence[int]) -> None:
        self._read = read
        self._ends = np.cumsum(np.array(sizes, np.int64))
        self._left = sum(sizes)
        self._taken = bytearray(self._left)
        self._next = 0
        self._open: tuple[int, Sequence[str]] = (-1, ())
        self._index: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def left(self) -> int:
        """How many are not taken."""
        return self._left

    def take(self, name: str) -> bool:
        """Whether a name is done and was not taken before; it is taken now."""
        if not self._left:
            return False
        found = self._next if self._is(self._next, name) else self._find(name)
        if found is None:
            return False
        self._taken[found] = 1
        self._left -= 1
        self._next = found + 1
        return True

    def _find(self, name: str) -> int | None:
        if self._index is None:
            each = (name_hash(name) for number in range(len(self._ends)) for name in self._read(number))
            unsorted = np.fromiter(each, np.uint64, len(self))
            order = np.argsort(unsorted, kind="stable")
            self._index = unsorted[order], order
        hashes, order = self._index
        wanted = np.uint64(name_hash(name))
        place = int(np.searchsorted(hashes, wanted))
        while place < len(order) and hashes[place] == wanted:
            if self._is(position := int(order[place]), name):
                return position
            place += 1
        return None

    def _is(self, position: int, name: str) -> bool:
        """Whether a name stands at a position and was not taken from there."""
        if position >= len(self) or self._taken[position]:
            return False
        number = self._open[0]
        if number < 0 or not self._start(number) <= position < self._ends[number]:
            number = int(np.searchsorted(self._ends, position, side="right"))
            self._open = number, self._read(number)
        return self._open[1][position - self._start(number)] == name

    def _start(self, number: int) -> int:
        return int(self._ends[number - 1]) if number else 0


def name_hash(name: str) -> int:
    """64 bits of a name."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
