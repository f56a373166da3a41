"""What AutoAugment, RandAugment and AugMix do to a picture: operations of a strength, with timm's names and scales.

timm's are in `timm/data/auto_augment.py`; each has the same effect here at the same strength.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Generator: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a picture is moved and turned with."""

    fill: tuple[int, ...]
    """The colour where nothing was."""
    filters: tuple[Image.Resampling, ...]
    """Of which each move takes one at random."""
    largest_move: float = 0.45
    """At a strength of 1, as a share of the picture."""


Operation: TypeAlias = Callable[[Image.Image, float, Generator, Surroundings], Image.Image]
"""A picture in RGB, the strength, where the random numbers are from, and the surroundings, to a picture of its size.

A strength is timm's magnitude over 10: from 0 to 1, and more where the user says so.
"""


def _sign(generator: Generator) -> int:
    return 1 if generator.random() < 0.5 else -1


def _filter(surroundings: Surroundings, generator: Generator) -> Image.Resampling:
    return surroundings.filters[generator.integers(len(surroundings.filters))]


def _rotated(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
    degrees = 30 * strength * _sign(generator)
    return image.rotate(degrees, _filter(surroundings, generator), fillcolor=surroundings.fill)


def _moved(
    image: Image.Image, matrix: tuple[float, ...], generator: Generator, surroundings: Surroundings
) -> Image.Image:
    """What lies at (a·x + b·y + c, d·x + e·y + f) comes to (x, y)."""
    how = _filter(surroundings, generator)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, how, fillcolor=surroundings.fill)


def _sheared(*, down: bool) -> Operation:
    def operation(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
        amount = 0.3 * strength * _sign(generator)
        matrix = (1.0, 0.0, 0.0, amount, 1.0, 0.0) if down else (1.0, amount, 0.0, 0.0, 1.0, 0.0)
        return _moved(image, matrix, generator, surroundings)

    return operation


def _translated(*, down: bool) -> Operation:
    def operation(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
        pixels = surroundings.largest_move * strength * _sign(generator) * image.size[down]
        matrix = (1.0, 0.0, 0.0, 0.0, 1.0, pixels) if down else (1.0, 0.0, pixels, 0.0, 1.0, 0.0)
        return _moved(image, matrix, generator, surroundings)

    return operation


def _plain(change: Callable[[Image.Image], Image.Image]) -> Operation:
    return lambda image, strength, generator, surroundings: change(image)


def _posterized(bits_at: Callable[[float], int]) -> Operation:
    def operation(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
        # ImageOps.posterize does the same, but new releases of Pillow refuse 0 bits, which make the picture black.
        mask = 0xFF & (0xFF << (8 - max(0, min(8, bits_at(strength)))))
        return image.point([value & mask for value in range(256)] * 3)

    return operation


def _solarized(threshold_at: Callable[[float], int]) -> Operation:
    return lambda image, strength, generator, surroundings: ImageOps.solarize(image, threshold_at(strength))


def _solarized_by_addition(
    image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings
) -> Image.Image:
    added = min(128, int(110 * strength))
    return image.point([min(255, value + added) if value < 128 else value for value in range(256)] * 3)


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance], *, increasing: bool) -> Operation:
    """`increasing`: a strength of 0 changes nothing; otherwise it is the least of contrast, colour or sharpness."""

    def operation(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
        factor = max(0.1, 1 + 0.9 * strength * _sign(generator)) if increasing else 1.8 * strength + 0.1
        return kind(image).enhance(factor)

    return operation


def _desaturated(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
    return ImageEnhance.Color(image).enhance(0.5 - 0.5 * _up_to_1(strength))


def _blurred(image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.1 + 1.9 * _up_to_1(strength)))


def _blurred_at_random(
    image: Image.Image, strength: float, generator: Generator, surroundings: Surroundings
) -> Image.Image:
    low, high = sorted((0.1, 2 * _up_to_1(strength)))
    return image.filter(ImageFilter.GaussianBlur(generator.uniform(low, high)))


def _up_to_1(strength: float) -> float:
    return min(1.0, max(0.0, strength))


def _threshold(strength: float) -> int:
    return min(256, int(256 * strength))


OPERATIONS: dict[str, Operation] = {
    "AutoContrast": _plain(ImageOps.autocontrast),
    "Equalize": _plain(ImageOps.equalize),
    "Invert": _plain(ImageOps.invert),
    "Rotate": _rotated,
    # Bits that stay, in three scales: Google's TPU code, its research code, and the paper of AutoAugment.
    "Posterize": _posterized(lambda strength: int(4 * strength)),
    "PosterizeIncreasing": _posterized(lambda strength: 4 - int(4 * strength)),
    "PosterizeOriginal": _posterized(lambda strength: int(4 * strength) + 4),
    "Solarize": _solarized(_threshold),
    "SolarizeIncreasing": _solarized(lambda strength: 256 - _threshold(strength)),
    "SolarizeAdd": _solarized_by_addition,
    "Color": _enhanced(ImageEnhance.Color, increasing=False),
    "ColorIncreasing": _enhanced(ImageEnhance.Color, increasing=True),
    "Contrast": _enhanced(ImageEnhance.Contrast, increasing=False),
    "ContrastIncreasing": _enhanced(ImageEnhance.Contrast, increasing=True),
    "Brightness": _enhanced(ImageEnhance.Brightness, increasing=False),
    "BrightnessIncreasing": _enhanced(ImageEnhance.Brightness, increasing=True),
    "Sharpness": _enhanced(ImageEnhance.Sharpness, increasing=False),
    "SharpnessIncreasing": _enhanced(ImageEnhance.Sharpness, increasing=True),
    "ShearX": _sheared(down=False),
    "ShearY": _sheared(down=True),
    "TranslateXRel": _translated(down=False),
    "TranslateYRel": _translated(down=True),
    "Desaturate": _desaturated,
    "GaussianBlur": _blurred,
    "GaussianBlurRand": _blurred_at_random,
}
