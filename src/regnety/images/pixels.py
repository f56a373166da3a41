"""From any source to the uint8 array that a model eats: the two ways, and which one is taken.

Both decode the same pixels and cut the same crop (`Preprocessing`). The exact way is Pillow from end to end, difference
0 from timm. The fast way decodes JPEG without Pillow and computes the crop alone; it differs by a level or two here and there.
"""

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


def load_pixels(
    source: ImageSource,
    preprocessing: Preprocessing,
    *,
    exact: bool = True,
    exif_orientation: bool | None = None,
    max_pixels: int = MAX_PIXELS,
) -> npt.NDArray[np.uint8]:
    """Path, address, bytes, PIL image or array -> uint8 [image_size, image_size, 3].

    Args:
        source: where the picture comes from.
        preprocessing: what the model wants.
        exact: the exact way; else the fast one, where there is one (`nearest` has none).
        exif_orientation: turn the picture upright; None is what the model was trained with.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: as `load_image`.
    """
    orient = preprocessing.exif_orientation if exif_orientation is None else exif_orientation
    if not exact and preprocessing.interpolation in SUPPORT:
        pixels, orientation = _decoded(source, orient, max_pixels)
        return crop_resize(pixels, preprocessing, orientation=orientation)
    from regnety.images.decoding import load_image
    from regnety.images.pillow_pixels import to_pixels

    return to_pixels(load_image(source, exif_orientation=orient, max_pixels=max_pixels), preprocessing)


def _decoded(source: ImageSource, orient: bool, max_pixels: int) -> tuple[npt.NDArray[np.uint8], int]:
    """All pixels, and the orientation that is still to be given to them."""
    if isinstance(source, np.ndarray):
        return checked_pixels(source), 1
    if not hasattr(source, "convert"):
        name = source_name(source) or "image"
        data = read_image_file(source)
        header = read_jpeg_header(data) if format_of(data) is JPEG else None
        if header is not None:
            check_pixel_count(header.width, header.height, max_pixels, name)
            pixels = decode_jpeg(data) if header.components in (1, 3) else None
            if pixels is not None:
                return pixels, header.orientation if orient else 1
        source = NamedImage(name, data)
    from regnety.images.decoding import load_image

    return np.asarray(load_image(source, exif_orientation=orient, max_pixels=max_pixels)), 1
