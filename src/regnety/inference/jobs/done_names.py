"""Which images of a listing have their rows already, with nine bytes a name in memory."""

import hashlib
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


class DoneNames:
    """The names of what is done, in the order in which it was done, each of which is taken once.

    A listing that has not changed gives the same names in the same order, so that the next one is looked at first.
    Where a file was added, removed or renamed since, the names are found by their hashes, and what is found is compared
    as a whole: two names of one hash are still two images.

    Args:
        read: the names of a part, by its number; also called later.
        parts: how many there are.
    """

    def __init__(self, read: Callable[[int], Sequence[str]], parts: int) -> None:
        self._read = read
        self._hashes = array("Q")
        self._ends = array("q")  # of each part, in the hashes
        for number in range(parts):
            self._hashes.extend(map(_hash, read(number)))
            self._ends.append(len(self._hashes))
        self._taken = bytearray(len(self._hashes))
        self._next = 0
        self._sorted: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] | None = None
        self._open: tuple[int, Sequence[str]] = (-1, ())

    def __len__(self) -> int:
        return len(self._hashes)

    def take(self, name: str) -> bool:
        """Whether a name is done and was not taken before; it is taken now."""
        position = self._next
        if position < len(self) and not self._taken[position] and self._hashes[position] == _hash(name):
            found: int | None = position
        else:
            found = self._find(name)
        if found is None:
            return False
        self._taken[found] = 1
        self._next = found + 1
        return True

    def _find(self, name: str) -> int | None:
        if not len(self):
            return None
        if self._sorted is None:
            hashes = np.frombuffer(self._hashes, np.uint64)
            order = np.argsort(hashes, kind="stable")
            self._sorted = hashes[order], order
        hashes, order = self._sorted
        wanted = np.uint64(_hash(name))
        first = int(np.searchsorted(hashes, wanted))
        while first < len(order) and hashes[first] == wanted:
            position = int(order[first])
            if not self._taken[position] and self._name(position) == name:
                return position
            first += 1
        return None

    def _name(self, position: int) -> str:
        number = int(np.searchsorted(np.frombuffer(self._ends, np.int64), position, side="right"))
        if self._open[0] != number:
            self._open = number, self._read(number)
        return self._open[1][position - (self._ends[number - 1] if number else 0)]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
