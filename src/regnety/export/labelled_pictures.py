"""Labelled photographs for a quantizer, which reads them many times and in any order. None stays in memory."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.datasets.class_matching import class_indices
from regnety.datasets.samples import Sample
from regnety.errors import ImageError
from regnety.images.pixels import load_pixels
from regnety.progress import Progress


class LabelledPictures(Sequence[tuple[npt.NDArray[np.uint8], int]]):
    """Pairs of pixels [1, image_size, image_size, 3] and class index; photographs that cannot be read are left out.

    Args:
        bundle: the model; every label names one of its classes (`ClassMatcher`).
        samples: the photographs.
        quiet: no progress.
    """

    def __init__(self, bundle: Bundle, samples: Sequence[Sample], *, quiet: bool = False) -> None:
        self._preprocessing = bundle.preprocessing
        self._samples: list[tuple[Sample, int]] = []
        with Progress("labelled photographs", total=len(samples), quiet=quiet) as progress:
            for sample, index in zip(samples, class_indices(bundle, samples), strict=True):
                # Decoded now only to see that it can be: NNCF would stop at the first picture that cannot.
                try:
                    self._read(sample)
                    self._samples.append((sample, index))
                except ImageError:  # `quantize_model` evaluates the same photographs, and reports them there
                    pass
                progress.advance()

    def _read(self, sample: Sample) -> npt.NDArray[np.uint8]:
        return load_pixels(sample.image, self._preprocessing)[None]

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, place: int) -> tuple[npt.NDArray[np.uint8], int]: ...

    @overload
    def __getitem__(self, place: slice) -> list[tuple[npt.NDArray[np.uint8], int]]: ...

    def __getitem__(
        self, place: int | slice
    ) -> tuple[npt.NDArray[np.uint8], int] | list[tuple[npt.NDArray[np.uint8], int]]:
        """Read one, or some."""
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        sample, index = self._samples[place]
        return self._read(sample), index
