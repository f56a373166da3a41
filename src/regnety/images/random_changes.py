"""timm's random changes of a training picture, with Pillow and NumPy: what `create_transform(is_training=True)` does.

timm composes them from its own classes and torchvision's. Each function here says which one it has the distribution of.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from regnety.errors import WeightsError
from regnety.images.auto_augment import StrongAugmentation
from regnety.images.decoding import FILTERS

Generator: TypeAlias = np.random.Generator
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom, in whole pixels."""
ATTEMPTS = 10
"""Times that a box is drawn until one fits."""
ERASED_AREA = (0.02, 1 / 3)
ERASED_ASPECT = (0.3, 1 / 0.3)
BLUR_TAPS = 23
BLUR_SIGMA = (0.1, 2.0)
"""Deviations of the blur, in pixels."""
ERASING_MODES = ("const", "rand", "pixel")
RANDOM_FILTERS = ("bilinear", "bicubic")
"""What `interpolation="random"` chooses from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomChanges:
    """The arguments of timm's training transform that are supported, with timm's names and defaults.

    Raises:
        WeightsError: a value is not allowed.
    """

    interpolation: str = "bilinear"
    """Pillow's filter, or `random`: bilinear or bicubic for each picture."""
    scale: tuple[float, float] = (0.08, 1.0)
    """Smallest and largest share of the area that a crop keeps."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width of a crop over its height."""
    hflip: float = 0.5
    """Share of the pictures of which left and right are swapped."""
    vflip: float = 0.0
    """Share of the pictures of which top and bottom are swapped."""
    auto_augment: StrongAugmentation | None = None
    """Several stronger operations (`auto_augment.auto_augment`)."""
    color_jitter: tuple[float, ...] = (0.4, 0.4, 0.4)
    """Largest change of brightness, contrast and saturation, and of the hue where there is a fourth; empty for none."""
    color_jitter_prob: float | None = None
    """Share of the pictures whose colours change; None is all of them."""
    grayscale_prob: float = 0.0
    """Share of the pictures that become grey."""
    gaussian_blur_prob: float = 0.0
    """Share of the pictures that are blurred."""
    re_prob: float = 0.0
    """Share of the pictures of which boxes are erased."""
    re_mode: str = "const"
    """What is in an erased box: the mean colour (`const`), a random colour (`rand`) or random pixels (`pixel`)."""
    re_count: int = 1
    """Largest number of erased boxes."""

    def __post_init__(self) -> None:
        for name in ("hflip", "vflip", "color_jitter_prob", "grayscale_prob", "gaussian_blur_prob", "re_prob"):
            share = getattr(self, name)
            _require(name, share is None or 0 <= share <= 1, "from 0 to 1", share)
        for name, largest in (("scale", 1.0), ("ratio", math.inf)):
            pair = getattr(self, name)
            allowed = len(pair) == 2 and 0 < pair[0] <= pair[1] <= largest
            _require(name, allowed, f"two rising numbers above 0{' up to 1' * (name == 'scale')}", pair)
        jitter = self.color_jitter
        allowed = len(jitter) in (0, 3, 4) and min(jitter, default=0) >= 0 and max(jitter[3:], default=0) <= 0.5
        _require("color_jitter", allowed, "one number, 3, or 4 with the last up to 0.5, none below 0", jitter)
        _require("re_mode", self.re_mode in ERASING_MODES, f"one of {', '.join(ERASING_MODES)}", self.re_mode)
        _require("re_count", self.re_count >= 1, "at least 1", self.re_count)
        known = (*FILTERS, "random")
        _require("interpolation", self.interpolation in known, f"one of {', '.join(known)}", self.interpolation)

    def pixels(self, image: Image.Image, side: int, generator: Generator) -> Image.Image:
        """A picture in RGB, cropped, flipped and recoloured: [side, side]."""
        names = RANDOM_FILTERS if self.interpolation == "random" else (self.interpolation,)
        box = crop_box(image.width, image.height, self.scale, self.ratio, generator)
        # In two calls, as torchvision does: with `box=` the filter would look beyond the crop.
        image = image.crop(box).resize((side, side), FILTERS[names[generator.integers(len(names))]])
        if generator.random() < self.hflip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if generator.random() < self.vflip:
            image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        if self.auto_augment is not None:
            image = self.auto_augment(image, generator)
        if self.color_jitter and (self.color_jitter_prob is None or generator.random() < self.color_jitter_prob):
            image = jittered(image, self.color_jitter, generator)
        if generator.random() < self.grayscale_prob:
            image = image.convert("L").convert("RGB")
        if generator.random() < self.gaussian_blur_prob:
            image = blurred(image, generator.uniform(*BLUR_SIGMA))
        return image

    def erase(self, values: npt.NDArray[np.float32], generator: Generator) -> None:
        """Erase boxes of a normalized picture, float32 [3, height, width], in place (timm's `RandomErasing`)."""
        if generator.random() >= self.re_prob:
            return
        channels, height, width = values.shape
        count = int(generator.integers(1, self.re_count + 1))
        for _ in range(count):
            for _ in range(ATTEMPTS):
                area = generator.uniform(*ERASED_AREA) * height * width / count
                box_height, box_width = _sides(area, _log_uniform(ERASED_ASPECT, generator))
                if box_width < width and box_height < height:
                    top = int(generator.integers(height - box_height + 1))
                    left = int(generator.integers(width - box_width + 1))
                    box = values[:, top : top + box_height, left : left + box_width]
                    if self.re_mode == "const":
                        box[:] = 0
                    else:
                        shape = (channels, 1, 1) if self.re_mode == "rand" else box.shape
                        box[:] = generator.standard_normal(shape)
                    break


def crop_box(
    width: int, height: int, scale: tuple[float, float], ratio: tuple[float, float], generator: Generator
) -> Box:
    """The part that timm's `RandomResizedCropAndInterpolation` keeps: ten tries, then the centre.

    Args:
        width: of the picture.
        height: of the picture.
        scale: smallest and largest share of the area; uniform between.
        ratio: smallest and largest width over height; log-uniform between.
        generator: of the random numbers.
    """
    for _ in range(ATTEMPTS):
        area = generator.uniform(*scale) * width * height
        box_height, box_width = _sides(area, _log_uniform(ratio, generator))
        if box_width <= width and box_height <= height:
            top = int(generator.integers(height - box_height + 1))
            left = int(generator.integers(width - box_width + 1))
            return left, top, left + box_width, top + box_height
    box_width, box_height = width, height
    if width / height < ratio[0]:
        box_height = round(width / ratio[0])
    elif width / height > ratio[1]:
        box_width = round(height * ratio[1])
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def jittered(image: Image.Image, largest: Sequence[float], generator: Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue changed in random order (torchvision's `ColorJitter`)."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for number in generator.permutation(len(largest)):
        change = largest[number]
        if not change:
            continue
        if number == 3:
            image = _turned_hue(image, generator.uniform(-change, change))
        else:
            image = enhancers[number](image).enhance(generator.uniform(max(0.0, 1 - change), 1 + change))
    return image


def _turned_hue(image: Image.Image, share: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.asarray(hue).astype(int) + int(share * 255)) % 256
    bands = (Image.fromarray(turned.astype(np.uint8)), saturation, value)
    return Image.merge("HSV", bands).convert("RGB")


def blurred(image: Image.Image, sigma: float) -> Image.Image:
    """Blurred by 23 taps of a Gaussian in each direction (torchvision's `GaussianBlur`); the border is mirrored."""
    half = BLUR_TAPS // 2
    taps = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2).astype(np.float32)
    taps /= taps.sum()
    values = np.asarray(image).astype(np.float32)
    for axis in (0, 1):
        padded = np.pad(values, [(half, half) if axis == each else (0, 0) for each in range(3)], mode="reflect")
        size = values.shape[axis]
        values = sum(tap * padded.take(range(k, k + size), axis) for k, tap in enumerate(taps))
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))


def _sides(area: float, aspect: float) -> tuple[int, int]:
    """Height and width of a box."""
    return round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))


def _log_uniform(ends: tuple[float, float], generator: Generator) -> float:
    return math.exp(generator.uniform(math.log(ends[0]), math.log(ends[1])))


def _require(name: str, allowed: bool, words: str, value: object) -> None:
    if not allowed:
        raise WeightsError(f"{name} must be {words}, got {value!r}")
