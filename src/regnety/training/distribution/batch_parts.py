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
    """

    places: npt.NDArray[np.intp]
    whole: int

    @property
    def share(self) -> float:
        """Of the pictures of the batch."""
        return len(self.places) / self.whole

    def of(self, values: npt.NDArray[Any]) -> Any:
        """The rows of these pictures, of an array with a row for each picture of the whole batch."""
        return values if len(self.places) == self.whole else values[self.places]


def whole_batch(count: int) -> BatchPart:
    """All pictures of a batch of `count`."""
    return BatchPart(np.arange(count), count)


def part_of_batch(batch_size: int, *, rank: int, workers: int) -> BatchPart:
    """The part of worker `rank` of so many workers.

    It has each picture together with the one at its place in the batch read backwards: those two are mixed with each
    other (`mixing.py`), and within a part, too, they stand at places that are the same when it is read backwards. The
    parts differ by two pictures at most.

    Raises:
        RecipeError: there are fewer pairs than workers.
    """
    pairs = (batch_size + 1) // 2  # the picture in the middle of an odd batch is a pair of its own
    if pairs < workers:
        raise RecipeError(
            f"a batch of {batch_size} cannot be divided among {workers} workers, of which each has two pictures or "
            f"more; use at most {pairs} workers, or a batch_size of at least {2 * workers}"
        )
    first = np.arange(pairs * rank // workers, pairs * (rank + 1) // workers)
    return BatchPart(np.unique(np.concatenate([first, batch_size - 1 - first])), batch_size)
