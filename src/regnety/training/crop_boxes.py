"""The parts of pictures that random crops keep, from random numbers whose count does not depend on the picture."""

import math

import numpy as np
import numpy.typing as npt

from regnety.training.recipes.recipe import Augmentation

ATTEMPTS = 10
"""Boxes that pycls draws until one lies within the picture."""
NUMBERS = {"resized": 4, "pycls": 5 * ATTEMPTS}
"""Random numbers that a box needs, by the kind of crop."""


def crop_boxes(
    width: int, height: int, augmentation: Augmentation, numbers: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The parts of pictures of one size that random crops keep.

    Args:
        width: of the pictures.
        height: of the pictures.
        augmentation: says how they are drawn.
        numbers: uniform ones in [0, 1), [NUMBERS[crop], ...].

    Returns:
        float64 [4, ...]: left, top, right, bottom in pixels.
    """
    boxes = pycls_boxes if augmentation.crop == "pycls" else random_boxes
    return boxes(width, height, augmentation.min_area, numbers)


def random_boxes(width: int, height: int, min_area: float, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Area uniform in [min_area, 1] of the picture, aspect ratio log-uniform in [3/4, 4/3], cut to the picture.

    The position is uniform. After Szegedy et al., "Going Deeper with Convolutions" (section 6).

    Args:
        width: of the pictures.
        height: of the pictures.
        min_area: smallest share of the area.
        numbers: uniform ones in [0, 1), [4, ...]: area, aspect ratio, left, top.

    Returns:
        float64 [4, ...]: left, top, right, bottom in pixels.
    """
    # torchvision draws again until a box fits, and takes the centre after ten failures. One draw that is cut to the
    # picture needs fewer numbers, and leaves long pictures more than their centre.
    area = (min_area + (1 - min_area) * numbers[0]) * width * height
    aspect = np.exp((2 * numbers[1] - 1) * math.log(4 / 3))
    box_width = np.minimum(np.sqrt(area * aspect), width)
    box_height = np.minimum(np.sqrt(area / aspect), height)
    left, top = numbers[2] * (width - box_width), numbers[3] * (height - box_height)
    right, bottom = np.minimum(left + box_width, width), np.minimum(top + box_height, height)
    return np.stack([left, top, right, bottom])


def pycls_boxes(width: int, height: int, min_area: float, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The boxes of the paper's code (pycls, `random_sized_crop`), in whole pixels.

    Area uniform in [min_area, 1] of the picture; aspect ratio uniform in [3/4, 4/3], in half of the draws the other way
    round; the first of ten draws that lies within the picture, or else the square in the middle.

    Args:
        width: of the pictures.
        height: of the pictures.
        min_area: smallest share of the area.
        numbers: uniform ones in [0, 1), [50, ...]: of each draw area, aspect ratio, which way round, left, top.

    Returns:
        float64 [4, ...]: left, top, right, bottom in pixels.
    """
    draws = numbers.reshape(ATTEMPTS, 5, *numbers.shape[1:]).swapaxes(0, 1)  # [5, ATTEMPTS, ...]
    area = (min_area + (1 - min_area) * draws[0]) * width * height
    aspect = 3 / 4 + (4 / 3 - 3 / 4) * draws[1]
    aspect = np.where(draws[2] < 0.5, 1 / aspect, aspect)
    box_width, box_height = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    # pycls draws from one place less than there is, and so do we.
    left, top = np.floor(draws[3] * (width - box_width)), np.floor(draws[4] * (height - box_height))
    boxes = np.stack([left, top, left + box_width, top + box_height])  # [4, ATTEMPTS, ...]
    fits = (box_width <= width) & (box_height <= height) & (box_width >= 1) & (box_height >= 1)
    first = np.take_along_axis(boxes, fits.argmax(0)[None, None], axis=1)[:, 0]
    side = min(width, height)
    middle = np.array([(width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2])
    return np.where(fits.any(0), first, middle.reshape(4, *[1] * (first.ndim - 1)))
