"""From any source to the uint8 array that a model eats: the ways to it, and which one is taken.

All take the same crop (`Preprocessing`).

exact  Pillow from end to end, difference 0 from timm
fast   JPEG is decoded without Pillow, to the same pixels, and only the crop is resized: 0.004 grey levels on average
draft  the fast way from a JPEG decoded at some eighths of its size, where that leaves twice the pixels that are needed:
       large photographs take half the time, and differ by about one grey level on average
"""

import functools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from regnety.images.crop_resize import SUPPORT, BoxOf, box_resize, crop_resize, upright_size
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
        side = DRAFT_SPARE * preprocessing.resize_size
        smallest_side = (lambda width, height: side) if way == "draft" else None
        pixels, size, orientation = _decoded(source, orient, max_pixels, smallest_side)
        return crop_resize(pixels, preprocessing, orientation=orientation, size=size)
    from regnety.images.decoding import load_image, to_pixels  # Pillow, which a JPEG on the fast way never needs

    return to_pixels(load_image(source, exif_orientation=orient, max_pixels=max_pixels), preprocessing)


def load_crop(
    source: ImageSource,
    box_of: BoxOf,
    side: int,
    *,
    interpolation: str,
    exif_orientation: bool,
    max_pixels: int = MAX_PIXELS,
) -> npt.NDArray[np.uint8]:
    """A part of a picture, stretched to a square: uint8 [side, side, 3]. The draft way, where the filter has one.

    Args:
        source: where the picture comes from.
        box_of: the part, for the size of the picture.
        side: of the result, in pixels.
        interpolation: the filter.
        exif_orientation: turn the picture upright first.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: as `load_image`.
    """
    if interpolation not in SUPPORT:
        from regnety.images.decoding import FILTERS, load_image

        image = load_image(source, exif_orientation=exif_orientation, max_pixels=max_pixels)
        return np.asarray(image.resize((side, side), FILTERS[interpolation], box=box_of(*image.size)))
    box_of = functools.cache(box_of)  # asked for twice

    def smallest_side(width: int, height: int) -> int:
        left, top, right, bottom = box_of(width, height)
        return math.ceil(DRAFT_SPARE * side * min(width, height) / min(right - left, bottom - top))

    pixels, size, orientation = _decoded(source, exif_orientation, max_pixels, smallest_side)
    return box_resize(pixels, box_of, side, interpolation, orientation=orientation, size=size)


def _decoded(
    source: ImageSource, orient: bool, max_pixels: int, smallest_side: Callable[[int, int], int] | None
) -> tuple[npt.NDArray[np.uint8], tuple[int, int] | None, int]:
    """(pixels, which the next call in this thread may overwrite; size of the whole picture if they are a draft; the
    orientation by which they still have to be turned).

    `smallest_side` says for the size of the upright picture how many pixels a draft needs along each side; without it
    the whole is decoded.
    """
    if isinstance(source, np.ndarray):
        return checked_pixels(source), None, 1
    if not hasattr(source, "convert"):  # not a PIL image, which is told without importing Pillow
        name = source_name(source) or "image"
        data = read_image_file(source)
        header = read_jpeg_header(data) if format_of(data) is JPEG else None
        if header is not None:
            size = header.width, header.height
            orientation = header.orientation if orient else 1
            check_pixel_count(*size, max_pixels, name)
            pixels = None
            if header.components in (1, 3):  # 4 are print colours, often inverted: Pillow knows when
                least = None if smallest_side is None else smallest_side(*upright_size(*size, orientation))
                if least is not None and least > (min(size) + 1) // 2:
                    least = None  # there is no such draft, and of a picture one pixel wide simplejpeg makes one anyway
                pixels = decode_jpeg(data, smallest_side=least, reused_for=size)
            if pixels is not None:
                is_draft = pixels.shape[1::-1] != size
                return pixels, size if is_draft else None, orientation
        source = NamedImage(name, data)  # read once: a pipe or an address cannot be asked again
    from regnety.images.decoding import load_image

    return np.asarray(load_image(source, exif_orientation=orient, max_pixels=max_pixels)), None, 1
