"""Bytes to an upright RGB picture with Pillow, or one clear error that names the file."""

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from regnety.errors import ImageError, MissingExtraError
from regnety.extras import import_extra
from regnety.forks import ProcessLock
from regnety.images.formats import HEIF, MAX_PIXELS, format_of
from regnety.images.orientation import ORIENTATION_TAG, UPRIGHT, orientation_of
from regnety.images.parts import parts_of
from regnety.images.sources import (
    ImageSource,
    check_pixel_count,
    checked_pixels,
    read_image_file,
    source_name,
)
from regnety.text import one_line

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each orientation upright; 1 is upright."""
_pillow_limit = ProcessLock()


def load_image(source: ImageSource, *, exif_orientation: bool = True, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to RGB. Of an animation it is the first frame; alpha is left away, as timm's loader does.

    Args:
        source: where it comes from.
        exif_orientation: turn it upright as its EXIF orientation says. (The decoders of HEIC and TIFF do that by
            themselves, always.)
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: missing, no image, truncated, or over the limit; the message begins with the file's name.
    """
    name = source_name(source) or "image"
    if isinstance(source, np.ndarray):
        return Image.fromarray(checked_pixels(source))
    given = source if isinstance(source, Image.Image) else None
    image, orientation = (given, None) if given is not None else _open(read_image_file(source), name)
    check_pixel_count(image.size[0], image.size[1], max_pixels, name)
    try:
        if not isinstance(image, Image.Image):
            image = image.to_pillow()
        image.load()  # what is said of the picture may stand behind its pixels
        if exif_orientation:
            if orientation is None:
                orientation = _orientation_of_file(image) if given is None else _orientation_of_image(given)
            image = image if orientation == UPRIGHT else image.transpose(TURNS[orientation])
        return _to_rgb(image, name)
    except ImageError:
        raise
    except Exception as error:  # decoders of some thirty formats raise what they like; all of it means a bad file
        raise ImageError(f"{name}: cannot be decoded: {one_line(error)}") from error


def check_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> None:
    """See that `load_image` can decode a picture, in less time: a JPEG is read to its end, and scaled down on the way.

    Raises:
        ImageError: as `load_image`.
    """
    name = source_name(source) or "image"
    image, _ = _open(read_image_file(source), name)
    check_pixel_count(image.size[0], image.size[1], max_pixels, name)
    try:
        if isinstance(image, Image.Image):
            image.draft(None, (1, 1))  # to an eighth; what is no JPEG stays as it is
        else:
            image = image.to_pillow()
        _to_rgb(image, name)
    except ImageError:
        raise
    except Exception as error:  # as above
        raise ImageError(f"{name}: cannot be decoded: {one_line(error)}") from error


def _orientation_of_file(image: Image.Image) -> int:
    """Of a picture that was opened here, and is decoded."""
    return orientation_of(image.info.get("exif"), image.info.get("xmp"))


def _orientation_of_image(image: Image.Image) -> int:
    """Of a picture that somebody else opened, and may have turned: what Pillow says of it by now."""
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, UPRIGHT)
    except Exception:  # damage raises anything; it says nothing, and is no reason to lose the picture
        return UPRIGHT
    return orientation if orientation in TURNS else UPRIGHT


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I", "F"):
        raise ImageError(f"{name}: has pixels of 32 bits, whose white nobody knows; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):  # Pillow would cut at 255 instead of scaling
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # the same colours, without Pillow's warning
        image = image.convert("RGBA")
    return image.convert("RGB")


def _open(data: bytes, name: str) -> tuple[Any, int | None]:
    """Read the header; the orientation where it is known already.

    Pillow's own limit is process-wide and lower than ours, so it rests while ours is asked.
    """
    image_format = format_of(data)
    assert image_format is not None
    parts = parts_of(data, image_format)
    if image_format is HEIF:
        return _open_heif(data, name), parts.orientation
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(parts.pixels), formats=[image_format.name]), parts.orientation
        except UnidentifiedImageError:
            raise ImageError(f"{name}: is not a {image_format.name} image that can be read; it is damaged") from None
        except Exception as error:  # as above: a broken header raises anything
            raise ImageError(f"{name}: cannot be read as an image: {one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open_heif(data: bytes, name: str) -> Any:
    try:
        pillow_heif = import_extra("pillow_heif", feature="reading HEIC", extra="heif")
    except MissingExtraError as error:
        raise ImageError(f"{name}: {error}") from None
    try:
        return pillow_heif.open_heif(io.BytesIO(data))
    except Exception as error:  # as above
        raise ImageError(f"{name}: cannot be read as an image: {one_line(error)}") from error
