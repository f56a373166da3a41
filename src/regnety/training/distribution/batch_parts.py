"""Which pictures of a batch a worker has.

Whatever changes pictures at random draws its numbers for the whole batch and takes those of the part. So a picture
looks the same whichever worker has it, and a run has the same curve with any number of workers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.errors import RecipeError


@dataclass(frozen=True, slots=True, eq=False)
class BatchPart:
    """One worker's pictures of a batch; those of all workers together are the batch.

    Args:
        places: where they stand in the whole batch, rising, [N].
        whole: pictures of the whole batch.
        pieces: places in `places` of the pictures that are computed at once, one after the other.
    """

    places: npt.NDArray[np.intp]
    whole: int
    pieces: tuple[npt.NDArray[np.intp], ...]

    def of(self, values: npt.NDArray[Any]) -> Any:
        """The rows of these pictures, of an array with a row for each picture of the whole batch."""
        return values if len(self.places) == self.whole else values[self.places]


def whole_batch(count: int) -> BatchPart:
    """All pictures of a batch of `count`."""
    return part_of_batch(count, rank=0, workers=1)


def most_workers(batch_size: int, *, pieces: int = 1) -> int:
    """How many workers a batch can be divided among, in so many pieces."""
    return max(1, (batch_size + 1) // 2 // max(1, min(pieces, batch_size // 2)))


def part_of_batch(batch_size: int, *, rank: int, workers: int, pieces: int = 1) -> BatchPart:
    """The part of worker `rank` of so many workers.

    It has each picture together with the one at its place in the batch read backwards: those two are mixed with each
    other (`mixing.py`), and within a part, too, they stand at places that are the same when it is read backwards. The
    parts differ by two pictures at most, with several pieces by two of each.

    Args:
        batch_size: pictures of the whole batch.
        rank: of the worker, from 0.
        workers: how many there are.
        pieces: in which the whole batch is computed, at most half as many as pictures. Which pictures belong to one
            does not depend on the number of workers, and each worker has some of every piece.

    Raises:
        RecipeError: a piece has fewer pairs than there are workers.
    """
    pairs = (batch_size + 1) // 2  # the picture in the middle of an odd batch is a pair of its own
    pieces = max(1, min(pieces, batch_size // 2))
    if pairs < workers * pieces:
        in_pieces = f" in {pieces} parts" if pieces > 1 else ""
        raise RecipeError(
            f"a batch of {batch_size}{in_pieces} cannot be divided among {workers} workers, of which each has two "
            f"pictures or more; use at most {pairs // pieces} workers, or a batch_size of at least "
            f"{2 * workers * pieces}"
        )
    found = []
    for piece in range(pieces):
        start, end = (pairs * number // pieces for number in (piece, piece + 1))
        first, last = (start + (end - start) * number // workers for number in (rank, rank + 1))
        own = np.arange(first, last)
        found.append(np.unique(np.concatenate([own, batch_size - 1 - own])))
    places = np.sort(np.concatenate(found))
    return BatchPart(places, batch_size, tuple(np.searchsorted(places, piece) for piece in found))
