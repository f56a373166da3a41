"""Training pictures in memory: as evaluation sees them, or reduced once, for crops in each epoch."""

from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

import numpy as np
from PIL import Image

from regnety.datasets.samples import Sample
from regnety.errors import DataError
from regnety.images.crop_resize import BoxOf
from regnety.images.decoding import load_image
from regnety.images.pixels import load_crop, load_pixels
from regnety.inference.engines.processor import available_cores
from regnety.preprocessing import Preprocessing
from regnety.progress import Progress
from regnety.threads import in_threads
from regnety.training.batch_plan import Pixels

MEMORY_LIMIT = 4 << 30
"""Bytes of pictures that are kept in memory at most: 1.4 million of 32 pixels, 28,000 of 224."""
KEPT_LIMIT = 2 << 30
"""Bytes of reduced pictures that are kept in memory at most; the others are decoded in every epoch."""


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


def padded_pixels(pixels: Pixels, shift: int) -> Pixels:
    """Pictures with a mirrored border, so that a move and a flip are only indices into it."""
    return np.pad(pixels, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect") if shift else pixels


class TrainingImages(Protocol):
    """Pictures, of which parts are asked for."""

    def crop(self, index: int, box_of: BoxOf, side: int) -> Pixels:
        """A part of the picture of a sample's number, stretched to a square: uint8 [side, side, 3]."""


def training_images(
    samples: Sequence[Sample], preprocessing: Preprocessing, *, kept_side: int | None, quiet: bool = False
) -> TrainingImages:
    """Pictures for crops: decoded whenever they are asked for, or reduced once and kept in memory.

    Args:
        samples: the training pictures.
        preprocessing: has the filter, and says whether they are turned upright.
        kept_side: shorter side in pixels that they are reduced to and kept; smaller ones stay as they are.
        quiet: show no progress.

    Raises:
        ImageError: a picture cannot be read.
    """
    if kept_side is None:
        return _DecodedImages(samples, preprocessing)
    reduced = _ReducedImages(samples, preprocessing, kept_side)
    reduced.fill(quiet=quiet)
    return reduced


def pixels_of_one_size(images: TrainingImages, *, largest_side: int) -> Pixels | None:
    """Pictures that are in memory as one array, uint8 [N, height, width, 3]; None where that cannot be.

    Args:
        images: of `training_images`.
        largest_side: None too where they are larger than this, in pixels.
    """
    if not isinstance(images, _ReducedImages):
        return None
    kept = [pixels for pixels in images.kept if pixels is not None]
    if len(kept) < len(images.kept) or len({pixels.shape for pixels in kept}) != 1:
        return None
    return None if max(kept[0].shape) > largest_side else np.stack(kept)


class _DecodedImages:
    """Pictures that are decoded whenever a part is asked for: a large JPEG no further than the part needs."""

    def __init__(self, samples: Sequence[Sample], preprocessing: Preprocessing) -> None:
        self._samples = samples
        self._preprocessing = preprocessing

    def crop(self, index: int, box_of: BoxOf, side: int) -> Pixels:
        preprocessing = self._preprocessing
        return load_crop(
            self._samples[index].image,
            box_of,
            side,
            interpolation=preprocessing.interpolation,
            exif_orientation=preprocessing.exif_orientation,
        )


class _ReducedImages:
    """Pictures reduced to a shorter side and kept in memory.

    Args:
        samples: the pictures.
        preprocessing: has the filter of the parts, and says whether pictures are turned upright.
        kept_side: their shorter side in pixels.
    """

    def __init__(self, samples: Sequence[Sample], preprocessing: Preprocessing, kept_side: int) -> None:
        self._samples = samples
        self._preprocessing = preprocessing
        self._side = kept_side
        # As arrays: Pillow's own pictures have four bytes for a pixel.
        self.kept: list[Pixels | None] = [None] * len(samples)

    def crop(self, index: int, box_of: BoxOf, side: int) -> Pixels:
        kept = self.kept[index]
        pixels = self._reduced(index) if kept is None else kept
        interpolation = self._preprocessing.interpolation
        return load_crop(pixels, box_of, side, interpolation=interpolation, exif_orientation=False)

    def fill(self, *, quiet: bool) -> None:
        """Reduce all of them now, so that all epochs take the same time.

        Pictures beyond 2 GiB are not kept, and decoded again in each epoch.

        Raises:
            ImageError: one cannot be read.
        """
        size = 0
        with (
            Progress("reading pictures", total=len(self.kept), quiet=quiet) as progress,
            closing(in_threads(self._reduced, range(len(self.kept)), threads=available_cores())) as reduced,
        ):
            for index, pixels in enumerate(reduced):
                size += pixels.nbytes
                if size > KEPT_LIMIT:
                    break
                self.kept[index] = pixels
                progress.advance()

    def _reduced(self, index: int) -> Pixels:
        image = load_image(self._samples[index].image, exif_orientation=self._preprocessing.exif_orientation)
        shrink = self._side / min(image.size)
        if shrink < 1:
            size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
            # In two steps, the first by a whole factor: in a third of the time, and with no visible difference.
            image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(image)
