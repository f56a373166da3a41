"""Which images have their rows already, without holding their names."""

import hashlib
from array import array
from bisect import bisect_left


def name_hash(name: str) -> int:
    """64 bits of a name."""
    # surrogatepass: names of files that are not UTF-8 have lone surrogates in them
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class DoneNames:
    """The images that are done, as sorted hashes: a Counter of a million names takes ten times the memory.

    A name is what tells one image from another (`identity.py`), not the spelling in its row. Among a million names the
    chance that a new one has the hash of another, and is skipped, is 5e-14.

    Args:
        hashes: of each name, as often as it has rows.
    """

    def __init__(self, hashes: "array[int]") -> None:
        import numpy as np  # a command claims its output before it imports what takes time

        unique, counts = np.unique(np.array(hashes, np.uint64), return_counts=True)
        # arrays, not NumPy's: for a single number a bisection in them takes half as long as searchsorted
        # uintc: C's unsigned int, which array("I") holds on every platform
        self._hashes, self._counts = array("Q", unique.tobytes()), array("I", counts.astype(np.uintc).tobytes())
        self.left = len(hashes)
        """How many are not taken."""

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def take(self, name: str) -> bool:
        """Whether a name is done and was not taken as often before; one of it is taken now."""
        place = self._find(name)
        if place is None or not self._counts[place]:
            return False
        self._counts[place] -= 1
        self.left -= 1
        return True

    def _find(self, name: str) -> int | None:
        wanted = name_hash(name)
        place = bisect_left(self._hashes, wanted)
        return place if place < len(self._hashes) and self._hashes[place] == wanted else None
