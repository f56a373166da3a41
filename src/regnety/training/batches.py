"""Training pictures in batches, cropped and flipped on uint8.

Which samples form a batch, and how they are changed, depends on seed, epoch and step alone, never on threads or on what
was read before. So a run that is killed and resumed ends with the same weights.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from regnety.datasets.samples import Sample
from regnety.errors import DataError
from regnety.images.decoding import FILTERS, load_image
from regnety.images.pixels import load_pixels
from regnety.inference.engines.processor import available_cores
from regnety.preprocessing import Preprocessing
from regnety.progress import Progress
from regnety.training.recipes.recipe import Augmentation

Pixels: TypeAlias = npt.NDArray[np.uint8]
Targets: TypeAlias = npt.NDArray[np.int64]
Batch: TypeAlias = tuple[Pixels, Targets]
"""uint8 [N, height, width, 3] in RGB, and class indices [N]."""

MEMORY_LIMIT = 4 << 30
"""Bytes of pictures that are kept in memory at most: 1.4 million of 32 pixels, 28,000 of 224."""
BATCHES_AHEAD = 3
"""Batches that are decoded while the network trains on another; more only take memory."""


class TrainingBatches(Protocol):
    """Pictures for the loop."""

    steps_per_epoch: int

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch; epochs count from 0."""


def training_batches(
    samples: Sequence[Sample],
    classes: Sequence[str],
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    quiet: bool = False,
) -> TrainingBatches:
    """The batches for an augmentation: decoded in every epoch for `resized` crops, kept in memory for `shift`.

    Raises:
        DataError: the pictures do not fit into memory.
        ImageError: a picture cannot be read.
    """
    targets = class_indices(samples, classes)
    plan = _EpochPlan(len(samples), batch_size, seed)
    if augmentation.crop == "resized":
        return _StreamedBatches(samples, targets, preprocessing, augmentation, plan)
    pixels = load_all(samples, preprocessing, quiet=quiet)
    return _ShiftedBatches(pixels, targets, augmentation, plan)


def class_indices(samples: Sequence[Sample], classes: Sequence[str]) -> Targets:
    """The index of each sample's class."""
    index = {label: number for number, label in enumerate(classes)}
    return np.array([index[sample.label] for sample in samples], dtype=np.int64)


def load_all(samples: Sequence[Sample], preprocessing: Preprocessing, *, quiet: bool = False) -> Pixels:
    """Every picture as evaluation sees it, uint8 [N, image_size, image_size, 3].

    Raises:
        DataError: they would take over 4 GiB.
        ImageError: one cannot be read.
    """
    side = preprocessing.image_size
    size = len(samples) * side * side * 3
    if size > MEMORY_LIMIT:
        raise DataError(
            f"{len(samples)} pictures of {side} pixels take {size / 2**30:.1f} GiB in memory, the limit is 4; "
            "use --set augmentation.crop=resized"
        )
    pixels = np.empty((len(samples), side, side, 3), np.uint8)

    def load(index: int) -> None:
        pixels[index] = load_pixels(samples[index].image, preprocessing)

    pool = ThreadPoolExecutor(available_cores())
    try:
        with Progress("reading pictures", total=len(samples), quiet=quiet) as progress:
            for _ in pool.map(load, range(len(samples))):
                progress.advance()
    finally:
        pool.shutdown(cancel_futures=True)  # otherwise Ctrl-C would wait for all pictures in the queue
    return pixels


def evaluation_batches(
    samples: Sequence[Sample], classes: Sequence[str], preprocessing: Preprocessing, *, batch_size: int
) -> Iterator[Batch]:
    """Pictures as evaluation sees them, in order; decoded by threads, a batch at a time."""
    targets = class_indices(samples, classes)
    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(samples), batch_size):
            chunk = samples[start : start + batch_size]
            pixels = list(pool.map(lambda sample: load_pixels(sample.image, preprocessing), chunk))
            yield np.stack(pixels), targets[start : start + batch_size]


class _EpochPlan:
    """Which samples form each batch, and the random numbers for it: functions of seed, epoch and step alone."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.batch_size = min(batch_size, count)
        self.steps_per_epoch = count // self.batch_size
        self._count = count
        self._seed = seed

    def batches(self, epoch: int) -> Iterator[tuple[npt.NDArray[np.intp], np.random.Generator]]:
        order = np.random.default_rng((self._seed, epoch)).permutation(self._count)
        # The last, incomplete batch is dropped: its statistics would disturb batch norm. Which samples it has changes
        # with each epoch.
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield chosen, np.random.default_rng((self._seed, epoch, step))


class _ShiftedBatches:
    """Pictures in memory, moved by a few pixels, with the border mirrored."""

    def __init__(self, pixels: Pixels, targets: Targets, augmentation: Augmentation, plan: _EpochPlan) -> None:
        # Padded once, so that a move and a flip are only indices into it.
        margin = (augmentation.shift, augmentation.shift)
        self._padded = (
            np.pad(pixels, ((0, 0), margin, margin, (0, 0)), mode="reflect") if augmentation.shift else pixels
        )
        self._side = pixels.shape[1]
        self._targets = targets
        self._augmentation = augmentation
        self._plan = plan
        self.steps_per_epoch = plan.steps_per_epoch

    def epoch(self, epoch: int) -> Iterator[Batch]:
        across = np.arange(self._side)
        for chosen, generator in self._plan.batches(epoch):
            top, left = generator.integers(0, 2 * self._augmentation.shift + 1, (2, len(chosen), 1))
            flipped = generator.random((len(chosen), 1)) < (0.5 if self._augmentation.flip else 0)
            rows = top + across  # [N, side]
            columns = left + np.where(flipped, across[::-1], across)  # [N, side]
            # Indices of shape [N, 1, 1], [N, side, 1] and [N, 1, side] together take [N, side, side, 3] in one copy.
            yield self._padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]], self._targets[chosen]


class _StreamedBatches:
    """Pictures decoded again in every epoch, by threads, a few batches ahead of the loop."""

    def __init__(
        self,
        samples: Sequence[Sample],
        targets: Targets,
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        plan: _EpochPlan,
    ) -> None:
        self._samples = samples
        self._targets = targets
        self._preprocessing = preprocessing
        self._augmentation = augmentation
        self._plan = plan
        self.steps_per_epoch = plan.steps_per_epoch

    def epoch(self, epoch: int) -> Iterator[Batch]:
        waiting: deque[tuple[list[Future[Pixels]], Targets]] = deque()
        with ThreadPoolExecutor(available_cores()) as pool:
            try:
                for chosen, generator in self._plan.batches(epoch):
                    # Drawn here and not by the threads: which thread takes which picture is chance.
                    numbers = generator.random((len(chosen), 5))
                    futures = [pool.submit(self._load, i, row) for i, row in zip(chosen, numbers, strict=True)]
                    waiting.append((futures, self._targets[chosen]))
                    if len(waiting) > BATCHES_AHEAD:
                        yield _gather(*waiting.popleft())
                while waiting:
                    yield _gather(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _load(self, index: int, numbers: npt.NDArray[np.float64]) -> Pixels:
        image = load_image(self._samples[index].image, exif_orientation=self._preprocessing.exif_orientation)
        box = random_box(image.width, image.height, self._augmentation.min_area, numbers[:4])
        side = self._preprocessing.image_size
        # Crop and resize in one call: with `box` Pillow also takes fractions of pixels.
        image = image.resize((side, side), FILTERS[self._preprocessing.interpolation], box=box)
        if self._augmentation.flip and numbers[4] < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(image)


def random_box(
    width: int, height: int, min_area: float, numbers: npt.NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """The part of a picture that a random-resized-crop keeps: (left, top, right, bottom) in pixels.

    Area uniform in [min_area, 1] of the picture, aspect ratio log-uniform in [3/4, 4/3], cut to the picture; position
    uniform. After Szegedy et al., "Going Deeper with Convolutions" (section 6).

    Args:
        width: of the picture.
        height: of the picture.
        min_area: smallest share of the area.
        numbers: four uniform ones in [0, 1): area, aspect ratio, left, top.
    """
    # torchvision draws again until a box fits, and takes the centre after ten failures. One draw that is cut to the
    # picture needs the same count of numbers for each, and so does not depend on the picture.
    area = (min_area + (1 - min_area) * numbers[0]) * width * height
    aspect = math.exp((2 * numbers[1] - 1) * math.log(4 / 3))
    box_width = min(math.sqrt(area * aspect), width)
    box_height = min(math.sqrt(area / aspect), height)
    left, top = numbers[2] * (width - box_width), numbers[3] * (height - box_height)
    return left, top, min(left + box_width, width), min(top + box_height, height)


def _gather(futures: list["Future[Pixels]"], targets: Targets) -> Batch:
    return np.stack([future.result() for future in futures]), targets
