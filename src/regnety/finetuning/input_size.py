"""What the model is shown: an input size that suits the photographs, how large they are and how many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.errors import ImageError
from regnety.images.decoding import load_image
from regnety.inference.options import RunOptions

SMALL_INPUT = 64
"""Models made for inputs up to this size see more in larger ones: photographs have more to show."""
LARGEST_FACTOR = 3
"""The largest size that is taken, as a multiple of the model's own. From regnety_cifar10's 32 pixels the accuracy on
480 photographs of waste rose from 46 to 59 % at 96 and stayed there at 128; on hands it was best at 96."""
STEP = 16
"""Sizes are multiples of it; the network halves its input four times at most."""
MOST_PIXELS = 3000 * 72**2
"""Pixels of all photographs together, at the size that the model sees: they take some ten seconds on two cores."""
LOOKED_AT = 32
"""Photographs that are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSize:
    """The input size of a run, and where it comes from."""

    pixels: int
    why: str
    """For the user, as the rest of a sentence."""


def choose_input_size(base: Bundle, samples: Sequence[Sample], options: RunOptions) -> InputSize:
    """The size to embed photographs at: the model's own, but for a model of small inputs a larger one.

    It is never larger than the photographs, whose finest detail it would only blur, and for very many photographs no
    larger than can be embedded in a short time.

    Args:
        base: the model.
        samples: all photographs of the run.
        options: a size in them is taken as it is.

    Raises:
        WeightsError: the size that is asked for is not allowed.
    """
    own = options.preprocessing(base.preprocessing).image_size
    if options.image_size is not None:
        return InputSize(pixels=own, why="as asked for")
    if options.use_test_size or own > SMALL_INPUT:
        return InputSize(pixels=own, why=f"the size of {base.name}")
    shown, affordable = _shorter_side(samples), math.isqrt(MOST_PIXELS // len(samples))
    wanted = min(LARGEST_FACTOR * own, shown)
    pixels = max(own, min(wanted, affordable) // STEP * STEP)
    why = f"{base.name} was made for {own}x{own}"
    if pixels == own:
        return InputSize(pixels=own, why=why)
    if affordable < wanted // STEP * STEP:
        larger = wanted // STEP * STEP
        why += f"; {larger} may be more accurate and takes longer: --image-size {larger} (image_size={larger})"
    return InputSize(pixels=pixels, why=f"as photographs have more to show; {why}")


def _shorter_side(samples: Sequence[Sample]) -> int:
    """Of the median photograph, in pixels; 0 where none can be read."""
    sides = []
    for sample in samples[:: math.ceil(len(samples) / LOOKED_AT)]:
        try:
            sides.append(min(load_image(sample.image).size))
        except ImageError:  # whoever embeds them says so
            continue
    return int(median(sides)) if sides else 0
