"""A small grey picture of a photograph, its size and its content's digest, in one reading: what a check compares.

Of a JPEG only the lowest frequencies are decoded, which takes a third of the time of the whole picture. It is read to
its end all the same, so that a file that is cut short is found.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.images.crop_resize import upright
from regnety.images.formats import JPEG, MAX_PIXELS, format_of
from regnety.images.jpeg import decode_jpeg, read_jpeg_header
from regnety.images.sources import NamedImage, StoredImage, check_pixel_count, read_image_file, source_name

SIDE = 64
"""Height and width of the small picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """What is kept of a photograph."""

    width: int
    """In pixels, as the file has it."""
    height: int
    digest: bytes
    """SHA-256 of the file."""
    grey: npt.NDArray[np.uint8]
    """[SIDE, SIDE], upright; both sides are stretched to fit."""


def thumbnail(source: Path | StoredImage, *, max_pixels: int = MAX_PIXELS) -> Thumbnail:
    """Read a photograph.

    Args:
        source: a file, or an image within a larger one.
        max_pixels: width times height above which it is refused before it is decoded.

    Raises:
        ImageError: it cannot be read or decoded; the message begins with its name.
    """
    name = source_name(source) or "image"
    data = read_image_file(source)
    digest = hashlib.sha256(data).digest()
    header = read_jpeg_header(data) if format_of(data) is JPEG else None
    if header is not None and header.components in (1, 3):  # 4 are print colours, which Pillow knows
        check_pixel_count(header.width, header.height, max_pixels, name)
        pixels = decode_jpeg(data, colours="GRAY", smallest_side=SIDE)
        if pixels is not None:
            return Thumbnail(header.width, header.height, digest, upright(_small(pixels), header.orientation))
    from regnety.images.decoding import load_image  # Pillow is loaded for the small picture in any case

    image = load_image(NamedImage(name, data), max_pixels=max_pixels)
    return Thumbnail(image.width, image.height, digest, _small(np.asarray(image.convert("L"))))


def _small(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [height, width] -> [SIDE, SIDE], antialiased."""
    from PIL import Image

    image = Image.fromarray(pixels.reshape(pixels.shape[:2]))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
