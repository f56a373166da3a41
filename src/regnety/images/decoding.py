"""What Pillow does: bytes to an upright RGB picture, or one clear error that names the file; and the exact way from it
to a model's square, with the pixels of timm's evaluation.

timm resizes the whole picture (torchvision's `Resize` on a PIL image), then crops the middle. Normalisation is in the
graph. The difference to timm's pixels is 0.
"""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
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
from regnety.preprocessing import Preprocessing
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
"""What turns a picture of each EXIF orientation upright; 1 is upright."""
FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
LARGEST_RESIZED = 64_000_000
"""Pixels of a resized picture above which only the crop is computed: 20000x2 takes 19 s and 2.6 GiB in timm's way."""
_pillow_limit = ProcessLock()
"""Held while Pillow's limit, a global of the process, is changed."""


def load_image(source: ImageSource, *, exif_orientation: bool = True, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to RGB. Of an animation the first frame is taken; alpha is dropped, as in timm's loader.

    Args:
        source: where it comes from.
        exif_orientation: turn it upright as its EXIF orientation says. (HEIC and TIFF always are: their decoders turn
            them.)
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
        image.load()  # EXIF may stand after the pixels (PNG): only now Pillow has read it
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
    """Check that `load_image` can decode a picture, in less time: a JPEG is read to its end, but scaled to an eighth.

    Raises:
        ImageError: as `load_image`.
    """
    name = source_name(source) or "image"
    image, _ = _open(read_image_file(source), name)
    check_pixel_count(image.size[0], image.size[1], max_pixels, name)
    try:
        if isinstance(image, Image.Image):
            image.draft(None, (1, 1))  # the smallest scale that libjpeg has, 1/8; a no-op for other formats
        else:
            image = image.to_pillow()
        _to_rgb(image, name)
    except ImageError:
        raise
    except Exception as error:  # decoders decode at the first access to pixels, and raise what they like there too
        raise ImageError(f"{name}: cannot be decoded: {one_line(error)}") from error


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """RGB picture of any size -> uint8 [image_size, image_size, 3]."""
    side = preprocessing.image_size
    resample = FILTERS[preprocessing.interpolation]
    width, height = preprocessing.resized_size(image.width, image.height)
    if width * height > LARGEST_RESIZED:
        # The crop alone, straight from the source: 0.03 grey levels from timm on average, 0.005 % of pixels over 2.
        box = preprocessing.source_box(image.width, image.height)
        return np.asarray(image.resize((side, side), resample, box=box))
    if (width, height) != image.size:  # torchvision does not resize what has the size already
        image = image.resize((width, height), resample)
    left, top = preprocessing.crop_corner(width, height)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def _orientation_of_file(image: Image.Image) -> int:
    """Of a picture that was opened here, and is decoded: by our own rule, which is the same for every format."""
    return orientation_of(image.info.get("exif"), image.info.get("xmp"))


def _orientation_of_image(image: Image.Image) -> int:
    """Of a PIL image from the caller, who may have turned it already: what Pillow says of it now."""
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, UPRIGHT)
    except Exception:  # damaged EXIF raises anything, and is no reason to refuse the picture
        return UPRIGHT
    return orientation if orientation in TURNS else UPRIGHT


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I", "F"):
        raise ImageError(f"{name}: has 32-bit pixels, which have no fixed white; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):  # convert("RGB") would clip at 255 instead of scaling
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # by way of RGBA: the same colours, without a warning
        image = image.convert("RGBA")
    return image.convert("RGB")


def _open(data: bytes, name: str) -> tuple[Any, int | None]:
    """A picture whose header has been read, and its orientation where that is known already."""
    image_format = format_of(data)
    assert image_format is not None
    parts = parts_of(data, image_format)
    if image_format is HEIF:
        return _open_heif(data, name), parts.orientation
    # Pillow's own limit (89 million pixels warn, twice that raises) is lower than ours and a global of the process: it
    # is lifted while the header is read, and `check_pixel_count` asks ours right after.
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
    except Exception as error:  # decoders decode at the first access to pixels, and raise what they like there too
        raise ImageError(f"{name}: cannot be read as an image: {one_line(error)}") from error
