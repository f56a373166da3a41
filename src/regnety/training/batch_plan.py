"""Which pictures form each batch, and the random numbers that change them.

Both depend on seed, epoch and step alone, never on threads, on the device, or on what was read before. So a run that is
killed and resumed ends with the same weights.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.datasets.samples import Sample
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.recipes.recipe import Augmentation

Pixels: TypeAlias = npt.NDArray[np.uint8]
Targets: TypeAlias = npt.NDArray[np.int64]
Batch: TypeAlias = tuple[Pixels, Targets]
"""uint8 [N, height, width, 3] in RGB, and class indices [N]."""


def class_indices(samples: Sequence[Sample], classes: Sequence[str]) -> Targets:
    """The index of each sample's class."""
    index = {label: number for number, label in enumerate(classes)}
    return np.array([index[sample.label] for sample in samples], dtype=np.int64)


class EpochPlan:
    """Which samples form each batch, and the random numbers for it: functions of seed, pass and step alone.

    Args:
        count: samples.
        batch_size: samples of a batch.
        seed: of the run.
        steps_per_epoch: batches of an epoch; None is one pass, of as many steps as the samples have batches.
        workers: who share each batch. It is the same whatever their number.
        pieces: in which a batch is computed, one after the other.
        repeats: times that a sample is in its batch. A pass then has one sample in this many.

    Raises:
        RecipeError: a batch cannot be divided among the workers.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        steps_per_epoch: int | None,
        workers: Workers = ALONE,
        *,
        pieces: int = 1,
        repeats: int = 1,
    ) -> None:
        self.batch_size = min(batch_size, count)
        self.part = workers.part(self.batch_size, pieces=pieces)
        """Which pictures of each batch this worker loads. Random numbers are drawn for the whole batch all the same."""
        self._steps_per_pass = count // self.batch_size
        self.steps_per_epoch = steps_per_epoch or self._steps_per_pass
        self._count = count
        self._seed = seed
        self._repeats = repeats

    def batches(self, epoch: int) -> Iterator[tuple[npt.NDArray[np.intp], np.random.Generator]]:
        """The numbers of the samples of each whole batch, and where its random numbers come from."""
        first = epoch * self.steps_per_epoch
        order: npt.NDArray[np.intp] | None = None
        for number in range(first, first + self.steps_per_epoch):
            passes, step = divmod(number, self._steps_per_pass)
            if order is None or step == 0:
                order = np.random.default_rng((self._seed, passes)).permutation(self._count)
                order = np.repeat(order, self._repeats)[: self._count]
            # The last, incomplete batch is dropped: its statistics would disturb batch norm. Which samples it has
            # changes with each pass.
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield chosen, np.random.default_rng((self._seed, passes, step))


class PlannedBatches:
    """What all training batches have, wherever their pictures are.

    Args:
        targets: the class index of every picture, [count].
        plan: which pictures form each batch.
    """

    def __init__(self, targets: Targets, plan: EpochPlan) -> None:
        self.targets = targets
        self.part = plan.part
        """Which pictures of a batch this worker has."""
        self.steps_per_epoch = plan.steps_per_epoch
        self._plan = plan


def shifted_places(
    side: int, count: int, augmentation: Augmentation, generator: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns, each [count, side], of moved and flipped pictures in their padded ones."""
    across = np.arange(side)
    top, left = generator.integers(0, 2 * augmentation.shift + 1, (2, count, 1))
    flipped = generator.random((count, 1)) < (0.5 if augmentation.flip else 0)
    return top + across, left + np.where(flipped, across[::-1], across)
