"""From any source to the uint8 array that a model eats: the ways to it, and which one is taken.

All take the same crop (`Preprocessing`).

exact  Pillow from end to end, difference 0 from timm
fast   JPEG is decoded without Pillow, to the same pixels, and only the crop is resized: 0.004 grey levels on average
draft  the fast way from a JPEG decoded at some eighths of its size, where that leaves twice the pixels that are needed:
       large photographs take half the time, and differ by about one grey level on average
"""

import numpy as np
import numpy.typing as npt

from regnety.images.crop_resize import SUPPORT, crop_resize
from regnety.images.formats import JPEG, MAX_PIXELS, PixelWay, format_of
from regnety.images.jpeg import decode_jpeg, read_jpeg_header
from regnety.images.sources import (
    ImageSource,
    NamedImage,
    check_pixel_count,
    checked_pixels,
    read_image_file,
    source_name,
)
from regnety.preprocessing import Preprocessing

DRAFT_SPARE = 2
"""Pixels of a draft for each that is needed, along each side. With fewer, JPEG's blocks begin to show in the result."""


def load_pixels(
    source: ImageSource,
    preprocessing: Preprocessing,
    *,
    way: PixelWay = "exact",
    exif_orientation: bool | None = None,
    max_pixels: int = MAX_PIXELS,
) -> npt.NDArray[np.uint8]:
    """Path, address, bytes, PIL image or array -> uint8 [image_size, image_size, 3].

    Args:
        source: where the picture comes from.
        preprocessing: size, crop and filter.
        way: `exact`, `fast` or `draft`; with the filter `nearest` all are exact.
        exif_orientation: turn the picture upright; None does as the model's training did.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: as `load_image`.
    """
    orient = preprocessing.exif_orientation if exif_orientation is None else exif_orientation
    if way != "exact" and preprocessing.interpolation in SUPPORT:
        smallest_side = DRAFT_SPARE * preprocessing.resize_size if way == "draft" else None
        pixels, size, orientation = _decoded(source, orient, max_pixels, smallest_side)
        return crop_resize(pixels, preprocessing, orientation=orientation, size=size)
    from regnety.images.decoding import load_image, to_pixels  # Pillow, which a JPEG on the fast way never needs

    return to_pixels(load_image(source, exif_orientation=orient, max_pixels=max_pixels), preprocessing)


def _decoded(
    source: ImageSource, orient: bool, max_pixels: int, smallest_side: int | None
) -> tuple[npt.NDArray[np.uint8], tuple[int, int] | None, int]:
    """(pixels, which the next call in this thread may overwrite; size of the whole picture if they are a draft; the
    orientation by which they still have to be turned).
    """
    if isinstance(source, np.ndarray):
        return checked_pixels(source), None, 1
    if not hasattr(source, "convert"):  # not a PIL image, which is told without importing Pillow
        name = source_name(source) or "image"
        data = read_image_file(source)
        header = read_jpeg_header(data) if format_of(data) is JPEG else None
        if header is not None:
            size = header.width, header.height
            check_pixel_count(*size, max_pixels, name)
            pixels = None
            if header.components in (1, 3):  # 4 are print colours, often inverted: Pillow knows when
                pixels = decode_jpeg(data, smallest_side=smallest_side, reused_for=size)
            if pixels is not None:
                is_draft = pixels.shape[1::-1] != size
                return pixels, size if is_draft else None, header.orientation if orient else 1
        source = NamedImage(name, data)  # read once: a pipe or an address cannot be asked again
    from regnety.images.decoding import load_image

    return np.asarray(load_image(source, exif_orientation=orient, max_pixels=max_pixels)), None, 1
