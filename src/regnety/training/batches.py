"""Training pictures in batches, cropped and flipped on uint8.

Which samples form a batch, and how they are changed, depends on seed, epoch and step alone, never on threads or on what
was read before. So a run that is killed and resumed ends with the same weights.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
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
from regnety.threads import in_threads
from regnety.training.recipes.recipe import Augmentation

Pixels: TypeAlias = npt.NDArray[np.uint8]
Targets: TypeAlias = npt.NDArray[np.int64]
Batch: TypeAlias = tuple[Pixels, Targets]
"""uint8 [N, height, width, 3] in RGB, and class indices [N]."""

MEMORY_LIMIT = 4 << 30
"""Bytes of pictures that are kept in memory at most: 1.4 million of 32 pixels, 28,000 of 224."""
KEPT_LIMIT = 2 << 30
"""Bytes of reduced pictures that are kept in memory at most; the others are decoded in every epoch."""
KEPT_EVALUATION = 1 << 29
"""Bytes of evaluation pictures that are kept in memory at most, in place of decoding them again after each epoch."""
BATCHES_AHEAD = 3
"""Batches that are decoded while the network trains on another; more only take memory."""


class TrainingBatches(Protocol):
    """Pictures for the loop."""

    steps_per_epoch: int
    targets: Targets
    """The class of every picture."""

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
    steps_per_epoch: int | None = None,
    images: "TrainingImages | None" = None,
    quiet: bool = False,
) -> TrainingBatches:
    """The batches for an augmentation: decoded in every epoch for `resized` crops, kept in memory for `shift`.

    An epoch is one pass over the pictures, or `steps_per_epoch` steps. Where those are more or less than a pass, the
    next epoch continues the pass. `images` has the pictures that `resized` crops are taken from, where they have been
    read before (`training_images`).

    Raises:
        DataError: the pictures do not fit into memory.
        ImageError: a picture cannot be read.
    """
    targets = class_indices(samples, classes)
    plan = _EpochPlan(len(samples), batch_size, seed, steps_per_epoch)
    if augmentation.crop == "resized":
        images = images or training_images(samples, preprocessing, kept_side=augmentation.kept_side, quiet=quiet)
        return _StreamedBatches(images, targets, preprocessing, augmentation, plan)
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

    with (
        Progress("reading pictures", total=len(samples), quiet=quiet) as progress,
        closing(in_threads(load, range(len(samples)), threads=available_cores())) as loaded,
    ):
        for _ in loaded:
            progress.advance()
    return pixels


class EvaluationBatches:
    """Pictures as evaluation sees them, in order; decoded by threads, and kept if they take little memory.

    Args:
        samples: the pictures.
        classes: names of the classes by index.
        preprocessing: of evaluation.
        batch_size: pictures in a batch; the last may have fewer.
    """

    def __init__(
        self, samples: Sequence[Sample], classes: Sequence[str], preprocessing: Preprocessing, *, batch_size: int
    ) -> None:
        self._samples = samples
        self._targets = class_indices(samples, classes)
        self._preprocessing = preprocessing
        self._batch_size = batch_size
        self.count = len(samples)
        self._kept: list[Pixels] = []

    def __iter__(self) -> Iterator[Batch]:
        starts = range(0, len(self._samples), self._batch_size)
        batches = iter(self._kept) if len(self._kept) == len(starts) else self._decoded(starts)
        for start, pixels in zip(starts, batches, strict=True):
            yield pixels, self._targets[start : start + self._batch_size]

    def _decoded(self, starts: range) -> Iterator[Pixels]:
        are_kept = 3 * len(self._samples) * self._preprocessing.image_size**2 <= KEPT_EVALUATION
        self._kept = []
        with ThreadPoolExecutor(available_cores()) as pool:
            for start in starts:
                chunk = self._samples[start : start + self._batch_size]
                pixels = np.stack(list(pool.map(lambda sample: load_pixels(sample.image, self._preprocessing), chunk)))
                if are_kept:
                    self._kept.append(pixels)
                yield pixels


class _EpochPlan:
    """Which samples form each batch, and the random numbers for it: functions of seed, pass and step alone."""

    def __init__(self, count: int, batch_size: int, seed: int, steps_per_epoch: int | None) -> None:
        self.batch_size = min(batch_size, count)
        self._steps_per_pass = count // self.batch_size
        self.steps_per_epoch = steps_per_epoch or self._steps_per_pass
        self._count = count
        self._seed = seed

    def batches(self, epoch: int) -> Iterator[tuple[npt.NDArray[np.intp], np.random.Generator]]:
        first = epoch * self.steps_per_epoch
        order: npt.NDArray[np.intp] | None = None
        for number in range(first, first + self.steps_per_epoch):
            passes, step = divmod(number, self._steps_per_pass)
            if order is None or step == 0:
                order = np.random.default_rng((self._seed, passes)).permutation(self._count)
            # The last, incomplete batch is dropped: its statistics would disturb batch norm. Which samples it has
            # changes with each pass.
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield chosen, np.random.default_rng((self._seed, passes, step))


class _ShiftedBatches:
    """Pictures in memory, moved by a few pixels, with the border mirrored."""

    def __init__(self, pixels: Pixels, targets: Targets, augmentation: Augmentation, plan: _EpochPlan) -> None:
        # Padded once, so that a move and a flip are only indices into it.
        margin = (augmentation.shift, augmentation.shift)
        self._padded = (
            np.pad(pixels, ((0, 0), margin, margin, (0, 0)), mode="reflect") if augmentation.shift else pixels
        )
        self._side = pixels.shape[1]
        self.targets = targets
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
            yield self._padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]], self.targets[chosen]


TrainingImages: TypeAlias = Callable[[int], Image.Image]
"""The picture of a sample's number, in RGB."""


def training_images(
    samples: Sequence[Sample], preprocessing: Preprocessing, *, kept_side: int | None, quiet: bool = False
) -> TrainingImages:
    """Pictures for crops: decoded whenever they are asked for, or reduced once and kept in memory.

    Args:
        samples: the training pictures.
        preprocessing: says whether they are turned upright.
        kept_side: shorter side in pixels that they are reduced to and kept; smaller ones stay as they are.
        quiet: show no progress.

    Raises:
        ImageError: a picture cannot be read.
    """

    def decoded(index: int) -> Image.Image:
        return load_image(samples[index].image, exif_orientation=preprocessing.exif_orientation)

    if kept_side is None:
        return decoded
    reduced = _ReducedImages(decoded, len(samples), kept_side)
    reduced.fill(quiet=quiet)
    return reduced


class _ReducedImages:
    """Pictures reduced to a shorter side and kept in memory.

    Args:
        decoded: the whole pictures.
        count: how many there are.
        side: their shorter side in pixels.
    """

    def __init__(self, decoded: TrainingImages, count: int, side: int) -> None:
        self._decoded = decoded
        self._side = side
        # As arrays: Pillow's own pictures have four bytes for a pixel.
        self._kept: list[Pixels | None] = [None] * count

    def __call__(self, index: int) -> Image.Image:
        kept = self._kept[index]
        return Image.fromarray(self._reduced(index) if kept is None else kept)

    def fill(self, *, quiet: bool) -> None:
        """Reduce all of them now, so that all epochs take the same time.

        Pictures beyond 2 GiB are not kept, and decoded again in each epoch.

        Raises:
            ImageError: one cannot be read.
        """
        size = 0
        with (
            Progress("reading pictures", total=len(self._kept), quiet=quiet) as progress,
            closing(in_threads(self._reduced, range(len(self._kept)), threads=available_cores())) as reduced,
        ):
            for index, pixels in enumerate(reduced):
                size += pixels.nbytes
                if size > KEPT_LIMIT:
                    break
                self._kept[index] = pixels
                progress.advance()

    def _reduced(self, index: int) -> Pixels:
        image = self._decoded(index)
        shrink = self._side / min(image.size)
        if shrink < 1:
            size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
            # In two steps, the first by a whole factor: in a third of the time, and with no visible difference.
            image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(image)


class _StreamedBatches:
    """Pictures cropped by threads, a few batches ahead of the loop."""

    def __init__(
        self,
        images: TrainingImages,
        targets: Targets,
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        plan: _EpochPlan,
    ) -> None:
        self._images = images
        self.targets = targets
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
                    waiting.append((futures, self.targets[chosen]))
                    if len(waiting) > BATCHES_AHEAD:
                        yield _gather(*waiting.popleft())
                while waiting:
                    yield _gather(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _load(self, index: int, numbers: npt.NDArray[np.float64]) -> Pixels:
        image = self._images(index)
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
