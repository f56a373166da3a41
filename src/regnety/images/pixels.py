"""From any source to the uint8 array that a model eats: the ways to it, and which one is taken.

All cut the same crop (`Preprocessing`). The exact way is Pillow from end to end, difference 0 from timm. The fast way
decodes JPEG without Pillow, to the same pixels, and computes the crop alone; it differs by a level or two here and
there. The draft is the fast way from a JPEG that is decoded to some eighths of its size, where that leaves twice the
pixels that are needed: large photographs cost half as much, and differ by about a level in the mean.
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from regnety.images.crop_resize import SUPPORT, crop_resize
from regnety.images.formats import JPEG, MAX_PIXELS, format_of
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

PixelWay = Literal["fast", "exact", "draft"]
PIXEL_WAYS: tuple[PixelWay, ...] = get_args(PixelWay)
DRAFT_SPARE = 2
"""Pixels of a draft for one that is needed, along each side: with fewer it is what JPEG leaves of a thumbnail."""


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
        preprocessing: what the model wants.
        way: exact; or fast or draft, where there is such a way (`nearest` has none).
        exif_orientation: turn the picture upright; None is what the model was trained with.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: as `load_image`.
    """
    orient = preprocessing.exif_orientation if exif_orientation is None else exif_orientation
    if way != "exact" and preprocessing.interpolation in SUPPORT:
        smallest_side = DRAFT_SPARE * preprocessing.resize_size if way == "draft" else None
        pixels, size, orientation = _decoded(source, orient, max_pixels, smallest_side)
        return crop_resize(pixels, preprocessing, orientation=orientation, size=size)
    from regnety.images.decoding import load_image
    from regnety.images.pillow_pixels import to_pixels

    return to_pixels(load_image(source, exif_orientation=orient, max_pixels=max_pixels), preprocessing)


def _decoded(
    source: ImageSource, orient: bool, max_pixels: int, smallest_side: int | None
) -> tuple[npt.NDArray[np.uint8], tuple[int, int] | None, int]:
    """The pixels, which the next call in this thread may overwrite; the size of the whole where they are a draft; the
    orientation that is still to be given to them.
    """
    if isinstance(source, np.ndarray):
        return checked_pixels(source), None, 1
    if not hasattr(source, "convert"):
        name = source_name(source) or "image"
        data = read_image_file(source)
        header = read_jpeg_header(data) if format_of(data) is JPEG else None
        if header is not None:
            size = header.width, header.height
            check_pixel_count(*size, max_pixels, name)
            pixels = None
            if header.components in (1, 3):
                pixels = decode_jpeg(data, smallest_side=smallest_side, reused_for=size)
            if pixels is not None:
                is_draft = pixels.shape[1::-1] != size
                return pixels, size if is_draft else None, header.orientation if orient else 1
        source = NamedImage(name, data)
    from regnety.images.decoding import load_image

    return np.asarray(load_image(source, exif_orientation=orient, max_pixels=max_pixels)), None, 1
