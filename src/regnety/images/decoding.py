"""Bytes to an upright RGB picture, or one clear error that names the file."""

import io
import threading
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from regnety.errors import ImageError

ImageSource: TypeAlias = str | Path | bytes | Image.Image | npt.NDArray[np.uint8]
"""A path, the bytes of a file, a PIL image, or uint8 pixels [height, width, 3] in RGB."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Endings of the files that a folder is searched for, in any case."""
MAX_PIXELS = 200_000_000

_pillow_limit = threading.Lock()


def source_name(source: ImageSource) -> str | None:
    """The file name of a source that has one."""
    return str(source) if isinstance(source, str | Path) else None


def load_image(source: ImageSource, *, exif_orientation: bool = True, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to RGB.

    Args:
        source: where it comes from.
        exif_orientation: turn it upright as its EXIF orientation says.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        ImageError: missing, no image, truncated, or over the limit; the message begins with the file's name.
    """
    name = source_name(source) or "image"
    if isinstance(source, np.ndarray):
        return Image.fromarray(_checked_pixels(source))
    image = source if isinstance(source, Image.Image) else _open(_read(source, name), name)
    if image.width * image.height > max_pixels:
        raise ImageError(f"{name}: {image.width}x{image.height} pixels are over the limit of {max_pixels} (max_pixels)")
    try:
        return _to_rgb(_upright(image) if exif_orientation else image)
    except Exception as error:  # decoders of some thirty formats raise what they like; all of it means a bad file
        raise ImageError(f"{name}: cannot be decoded: {_one_line(error)}") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the EXIF orientation says; damaged EXIF says nothing, and is no reason to lose the picture."""
    try:
        image.getexif()
    except Exception:  # damage raises anything; broken pixels raise again when they are decoded
        return image
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would cut at 255 instead of scaling
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # the same colours, without Pillow's warning
        image = image.convert("RGBA")
    return image.convert("RGB")


def _read(source: str | Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ImageError(f"{name}: is a device or a pipe, not an image file")
        data = path.read_bytes()
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: is a folder, not an image") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be read: {_one_line(error)}") from error
    return data


def _open(data: bytes, name: str) -> Image.Image:
    """Read the header. Pillow's own limit is process-wide and lower than ours, so it rests while ours is asked."""
    if not data:
        raise ImageError(f"{name}: is empty")
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        except UnidentifiedImageError:
            raise ImageError(f"{name}: is not an image that can be read (JPEG, PNG, WebP)") from None
        except Exception as error:  # as above: a broken header raises anything
            raise ImageError(f"{name}: cannot be read as an image: {_one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _checked_pixels(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ImageError(f"image: an array must be uint8 [height, width, 3] in RGB, got {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(pixels)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
