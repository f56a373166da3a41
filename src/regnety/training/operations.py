"""TrivialAugment (Müller and Hutter 2021, arXiv 2103.10158): one random operation, of random strength, for a picture.

The wide search space of the paper, as torchvision has it. Operations work on uint8 in the threads that decode: Pillow
leaves Python's lock while it computes.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageOps

Operation: TypeAlias = Callable[[Image.Image, float, float], Image.Image]
"""A picture, the strength from 0 to 1 and the sign, 1 or -1, to a picture of the same size."""
STRENGTHS = 31
"""Steps of the strength, 0 the first and 1 the last."""
LARGEST_MOVE = 32.0
"""In pixels."""


def _moved(image: Image.Image, *matrix: float) -> Image.Image:
    """What lies at (a·x + b·y + c, d·x + e·y + f) comes to (x, y); black where nothing was."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _sheared(image: Image.Image, across: float, down: float) -> Image.Image:
    return _moved(image, 1.0, across, 0.0, down, 1.0, 0.0)  # about the corner at the top left


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
    return lambda image, strength, sign: kind(image).enhance(1 + 0.99 * sign * strength)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda image, strength, sign: image,
    "shear across": lambda image, strength, sign: _sheared(image, 0.99 * sign * strength, 0.0),
    "shear down": lambda image, strength, sign: _sheared(image, 0.0, 0.99 * sign * strength),
    "move across": lambda image, strength, sign: _moved(
        image, 1.0, 0.0, -float(int(sign * strength * LARGEST_MOVE)), 0.0, 1.0, 0.0
    ),
    "move down": lambda image, strength, sign: _moved(
        image, 1.0, 0.0, 0.0, 0.0, 1.0, -float(int(sign * strength * LARGEST_MOVE))
    ),
    "rotate": lambda image, strength, sign: image.rotate(135 * sign * strength, Image.Resampling.BILINEAR),
    "brightness": _enhanced(ImageEnhance.Brightness),
    "colour": _enhanced(ImageEnhance.Color),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
    "posterize": lambda image, strength, sign: ImageOps.posterize(image, 8 - round(6 * strength)),  # bits that stay
    "solarize": lambda image, strength, sign: ImageOps.solarize(image, 255 - 255 * strength),  # type: ignore[arg-type]
    "autocontrast": lambda image, strength, sign: ImageOps.autocontrast(image),
    "equalize": lambda image, strength, sign: ImageOps.equalize(image),
}


def trivial_augment(image: Image.Image, numbers: npt.NDArray[np.float64]) -> Image.Image:
    """A picture after one operation; all of them, and all their strengths, are equally likely.

    Args:
        image: in RGB.
        numbers: three uniform ones in [0, 1): operation, strength, sign.
    """
    operation = list(OPERATIONS.values())[int(numbers[0] * len(OPERATIONS))]
    strength = int(numbers[1] * STRENGTHS) / (STRENGTHS - 1)
    return operation(image, strength, 1.0 if numbers[2] < 0.5 else -1.0)
