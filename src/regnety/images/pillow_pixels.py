"""The exact way from a picture to a model's square: resize and crop as timm's evaluation does them.

timm resizes with Pillow (torchvision `Resize` on a PIL image), crops the middle and normalises; the normalisation
stands in the graph. The difference to timm's pixels is 0.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from regnety.preprocessing import Preprocessing

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
LARGEST_RESIZED = 64_000_000
"""Pixels of a resized picture above which only the crop is computed: 20000x2 would take timm's way 19 s and 2.6 GiB."""


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """RGB picture of any size -> uint8 [image_size, image_size, 3]."""
    side = preprocessing.image_size
    resample = FILTERS[preprocessing.interpolation]
    width, height = preprocessing.resized_size(image.width, image.height)
    if width * height > LARGEST_RESIZED:
        box = preprocessing.source_box(image.width, image.height)
        return np.asarray(image.resize((side, side), resample, box=box))
    if (width, height) != image.size:
        image = image.resize((width, height), resample)
    left, top = preprocessing.crop_corner(width, height)
    return np.asarray(image.crop((left, top, left + side, top + side)))
