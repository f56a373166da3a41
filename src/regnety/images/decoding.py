"""Bytes to an upright RGB picture with Pillow, or one clear error that names the file."""

import io
import threading
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regnety.errors import ImageError, MissingExtraError
from regnety.images.formats import HEIF, MAX_PIXELS, format_of
from regnety.images.sources import (
    ImageSource,
    check_pixel_count,
    checked_pixels,
    one_line,
    read_image_file,
    source_name,
)

_pillow_limit = threading.Lock()


def load_image(source: ImageSource, *, exif_orientation: bool = True, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to RGB. Of an animation it is the first frame; alpha is left away, as timm's loader does.

    Args:
        source: where it comes from.
        exif_orientation: turn it upright as its EXIF orientation says. (HEIC stores the turn elsewhere; such a picture
            is always upright.)
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: missing, no image, truncated, or over the limit; the message begins with the file's name.
    """
    name = source_name(source) or "image"
    if isinstance(source, np.ndarray):
        return Image.fromarray(checked_pixels(source))
    image = source if isinstance(source, Image.Image) else _open(read_image_file(source), name)
    check_pixel_count(image.size[0], image.size[1], max_pixels, name)
    try:
        if not isinstance(image, Image.Image):
            image = image.to_pillow()
        return _to_rgb(_upright(image) if exif_orientation else image, name)
    except ImageError:
        raise
    except Exception as error:  # decoders of some thirty formats raise what they like; all of it means a bad file
        raise ImageError(f"{name}: cannot be decoded: {one_line(error)}") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the EXIF orientation says; damaged EXIF says nothing, and is no reason to lose the picture."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damage raises anything; broken pixels raise again when they are decoded
        return image
    return ImageOps.exif_transpose(image) if orientation in range(2, 9) else image  # it would copy an upright one


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I", "F"):
        raise ImageError(f"{name}: has pixels of 32 bits, whose white nobody knows; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):  # Pillow would cut at 255 instead of scaling
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # the same colours, without Pillow's warning
        image = image.convert("RGBA")
    return image.convert("RGB")


def _open(data: bytes, name: str) -> Any:
    """Read the header. Pillow's own limit is process-wide and lower than ours, so it rests while ours is asked."""
    image_format = format_of(data)
    assert image_format is not None
    if image_format is HEIF:
        return _open_heif(data, name)
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), formats=[image_format.name])
        except UnidentifiedImageError:
            raise ImageError(f"{name}: is not a {image_format.name} image that can be read; it is damaged") from None
        except Exception as error:  # as above: a broken header raises anything
            raise ImageError(f"{name}: cannot be read as an image: {one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open_heif(data: bytes, name: str) -> Any:
    try:
        import pillow_heif
    except ModuleNotFoundError:
        raise ImageError(f"{name}: {MissingExtraError('reading HEIC', 'heif')}") from None
    try:
        return pillow_heif.open_heif(io.BytesIO(data))
    except Exception as error:  # as above
        raise ImageError(f"{name}: cannot be read as an image: {one_line(error)}") from error
