"""Training pictures in batches, cropped, flipped and changed on uint8.

Which samples form a batch, and how they are changed, depends on seed, epoch and step alone, never on threads or on what
was read before. So a run that is killed and resumed ends with the same weights.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from regnety.datasets.samples import Sample
from regnety.images.crop_resize import Box
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing
from regnety.training.batch_plan import (
    Batch,
    EpochPlan,
    Pixels,
    PlannedBatches,
    Targets,
    class_indices,
    shifted_places,
)
from regnety.training.crop_boxes import NUMBERS, crop_boxes
from regnety.training.device_batches import REDUCED, CroppedOnDevice, ShiftedOnDevice, TensorBatch
from regnety.training.devices import PROCESSOR, Device
from regnety.training.distribution.batch_parts import BatchPart
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.kept_pictures import (
    TrainingImages,
    load_all,
    padded_pixels,
    pixels_of_one_size,
    training_images,
)
from regnety.training.operations import trivial_augment
from regnety.training.recipes.recipe import Augmentation

KEPT_EVALUATION = 1 << 29
"""Bytes of evaluation pictures that are kept in memory at most, in place of decoding them again after each epoch."""
BATCHES_AHEAD = 3
"""Batches that are decoded while the network trains on another; more only take memory."""


class TrainingBatches(Protocol):
    """Pictures for the loop."""

    steps_per_epoch: int
    targets: Targets
    """The class of every picture."""
    part: BatchPart
    """Which pictures of a batch this worker has."""

    def epoch(self, epoch: int) -> Iterator[Batch | TensorBatch]:
        """This worker's part of the batches of an epoch; epochs count from 0."""


def training_batches(
    samples: Sequence[Sample],
    classes: Sequence[str],
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    steps_per_epoch: int | None = None,
    images: TrainingImages | None = None,
    whole: Pixels | None = None,
    device: Device = PROCESSOR,
    workers: Workers = ALONE,
    pieces: int = 1,
    quiet: bool = False,
) -> TrainingBatches:
    """The batches for an augmentation: decoded in every epoch for random parts, kept in memory for `shift`.

    An epoch is one pass over the pictures, or `steps_per_epoch` steps. Where those are more or less than a pass, the
    next epoch continues the pass. `images` has the pictures that parts are taken from, where they have been
    read before (`training_images`), `whole` those for `shift` (`load_all`). On a graphics card kept pictures of one
    size lie there, and are cropped there. `workers` each get a part of every batch, and of each
    of its `pieces`.

    Raises:
        DataError: the pictures do not fit into memory.
        ImageError: a picture cannot be read.
        RecipeError: a batch cannot be divided among the workers.
    """
    targets = class_indices(samples, classes)
    plan = EpochPlan(
        len(samples), batch_size, seed, steps_per_epoch, workers, pieces=pieces, repeats=augmentation.repeats
    )
    side = preprocessing.image_size
    # Operations are Pillow's, in threads; a card gets the pictures after them.
    threads = device.is_processor or augmentation.operations != "none"
    if augmentation.crop != "shift":
        images = images or training_images(samples, preprocessing, kept_side=augmentation.kept_side, quiet=quiet)
        # Apple's GPU has no bicubic sampling in every release of torch that may be installed.
        on_card = device.kind == "cuda" and not threads
        pixels = pixels_of_one_size(images, largest_side=int(REDUCED * side)) if on_card else None
        if pixels is not None:
            return CroppedOnDevice(pixels, targets, augmentation, plan, device, image_size=side)
        pictures = _CroppedPictures(images, preprocessing, augmentation)
        return _StreamedBatches(pictures, targets, plan, threads=workers.threads)
    whole = load_all(samples, preprocessing, quiet=quiet) if whole is None else whole
    padded = padded_pixels(whole, augmentation.shift)
    if not threads:
        return ShiftedOnDevice(padded, targets, augmentation, plan, device)
    if augmentation.operations == "none":
        return _ShiftedBatches(padded, targets, augmentation, plan)
    return _StreamedBatches(_ShiftedPictures(padded, augmentation), targets, plan, threads=workers.threads)


class EvaluationBatches:
    """Pictures as evaluation sees them, in order; decoded by threads, and kept if they take little memory.

    Args:
        samples: the pictures.
        classes: names of the classes by index.
        preprocessing: of evaluation.
        batch_size: pictures in a batch; the last may have fewer.
        workers: who share the batches. Each has whole ones, and none is filled up, so that every picture counts once.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: Sequence[str],
        preprocessing: Preprocessing,
        *,
        batch_size: int,
        workers: Workers = ALONE,
    ) -> None:
        self._samples = samples
        self._targets = class_indices(samples, classes)
        self._preprocessing = preprocessing
        self._batch_size = batch_size
        self.count = len(samples)
        """Pictures of all workers."""
        self.total = math.ceil(len(samples) / batch_size)
        """Batches of all workers."""
        self._own = range(workers.rank, self.total, workers.count)
        self._threads = workers.threads
        self._kept: list[Pixels] = []

    def __iter__(self) -> Iterator[Batch]:
        return ((pixels, targets) for _, pixels, targets in self.numbered())

    def numbered(self) -> Iterator[tuple[int, Pixels, Targets]]:
        """This worker's batches, each with its number among those of all workers."""
        starts = range(self._own.start * self._batch_size, self.count, self._own.step * self._batch_size)
        batches = iter(self._kept) if len(self._kept) == len(starts) else self._decoded(starts)
        for number, start, pixels in zip(self._own, starts, batches, strict=True):
            yield number, pixels, self._targets[start : start + self._batch_size]

    def _decoded(self, starts: range) -> Iterator[Pixels]:
        are_kept = 3 * len(starts) * self._batch_size * self._preprocessing.image_size**2 <= KEPT_EVALUATION
        self._kept = []
        with ThreadPoolExecutor(self._threads) as pool:
            for start in starts:
                chunk = self._samples[start : start + self._batch_size]
                pixels = np.stack(list(pool.map(lambda sample: load_pixels(sample.image, self._preprocessing), chunk)))
                if are_kept:
                    self._kept.append(pixels)
                yield pixels


class _ShiftedBatches(PlannedBatches):
    """Pictures in memory, moved by a few pixels, with the border mirrored."""

    def __init__(self, padded: Pixels, targets: Targets, augmentation: Augmentation, plan: EpochPlan) -> None:
        super().__init__(targets, plan)
        self._padded = padded
        self._side = padded.shape[1] - 2 * augmentation.shift
        self._augmentation = augmentation

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for whole, generator in self._plan.batches(epoch):
            places = shifted_places(self._side, len(whole), self._augmentation, generator)
            chosen, rows, columns = map(self.part.of, (whole, *places))
            # Indices of shape [N, 1, 1], [N, side, 1] and [N, 1, side] together take [N, side, side, 3] in one copy.
            yield self._padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]], self.targets[chosen]


Picture: TypeAlias = Callable[[], Pixels]
"""Makes one picture of a batch, in any thread: uint8 [image_size, image_size, 3]."""


class _CroppedPictures:
    """Random parts of pictures, resized to the input size."""

    def __init__(self, images: TrainingImages, preprocessing: Preprocessing, augmentation: Augmentation) -> None:
        self._images = images
        self._side = preprocessing.image_size
        self._augmentation = augmentation

    def of_batch(self, whole: npt.NDArray[np.intp], generator: np.random.Generator, part: BatchPart) -> list[Picture]:
        """The pictures of a part of the samples `whole`; their random numbers are drawn now."""
        numbers = generator.random((len(whole), NUMBERS[self._augmentation.crop] + 1))
        chosen, numbers = map(part.of, (whole, numbers))
        operations = _operations(len(whole), self._augmentation, generator, part)
        return [
            partial(self._load, index, row, operation)
            for index, row, operation in zip(chosen, numbers, operations, strict=True)
        ]

    def _load(self, index: int, numbers: npt.NDArray[np.float64], operation: npt.NDArray[np.float64] | None) -> Pixels:
        def box_of(width: int, height: int) -> Box:
            left, top, right, bottom = crop_boxes(width, height, self._augmentation, numbers[:-1]).tolist()
            return left, top, right, bottom

        pixels = self._images.crop(index, box_of, self._side)
        if self._augmentation.flip and numbers[-1] < 0.5:
            pixels = pixels[:, ::-1]
        return _changed(pixels, operation)


class _ShiftedPictures:
    """Pictures in memory, moved by a few pixels, with the border mirrored, and changed by an operation."""

    def __init__(self, padded: Pixels, augmentation: Augmentation) -> None:
        self._padded = padded
        self._side = padded.shape[1] - 2 * augmentation.shift
        self._augmentation = augmentation

    def of_batch(self, whole: npt.NDArray[np.intp], generator: np.random.Generator, part: BatchPart) -> list[Picture]:
        """The pictures of a part of the samples `whole`; their random numbers are drawn now."""
        places = shifted_places(self._side, len(whole), self._augmentation, generator)
        chosen, rows, columns = map(part.of, (whole, *places))
        operations = _operations(len(whole), self._augmentation, generator, part)
        return [partial(self._load, *arguments) for arguments in zip(chosen, rows, columns, operations, strict=True)]

    def _load(
        self,
        index: int,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        operation: npt.NDArray[np.float64] | None,
    ) -> Pixels:
        return _changed(self._padded[index][rows[:, None], columns], operation)


def _operations(
    count: int, augmentation: Augmentation, generator: np.random.Generator, part: BatchPart
) -> npt.NDArray[np.float64] | list[None]:
    """The random numbers of each picture's operation, of a part of a batch of `count`; None where there is none."""
    if augmentation.operations == "none":
        return [None] * len(part.places)
    numbers: npt.NDArray[np.float64] = part.of(generator.random((count, 3)))
    return numbers


def _changed(pixels: Pixels, operation: npt.NDArray[np.float64] | None) -> Pixels:
    """The same after one of TrivialAugment's operations, if there are random numbers for it."""
    return pixels if operation is None else np.asarray(trivial_augment(Image.fromarray(pixels), operation))


class _StreamedBatches(PlannedBatches):
    """Pictures made by threads, a few batches ahead of the loop."""

    def __init__(
        self, pictures: _CroppedPictures | _ShiftedPictures, targets: Targets, plan: EpochPlan, *, threads: int
    ) -> None:
        super().__init__(targets, plan)
        self._pictures = pictures
        self._threads = threads

    def epoch(self, epoch: int) -> Iterator[Batch]:
        waiting: deque[tuple[list[Future[Pixels]], Targets]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                for whole, generator in self._plan.batches(epoch):
                    # Random numbers are drawn here and not by the threads: which thread takes which picture is chance.
                    pictures = self._pictures.of_batch(whole, generator, self.part)
                    futures = [pool.submit(picture) for picture in pictures]
                    chosen = self.part.of(whole)
                    waiting.append((futures, self.targets[chosen]))
                    if len(waiting) > BATCHES_AHEAD:
                        yield _gather(*waiting.popleft())
                while waiting:
                    yield _gather(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)


def _gather(futures: list[Future[Pixels]], targets: Targets) -> Batch:
    return np.stack([future.result() for future in futures]), targets
