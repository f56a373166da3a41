"""The fast way from a picture to a model's square: only the crop is computed, by SIMD code, in Pillow's order.

Pillow filters in one direction, rounds to 8 bits, and then filters in the other. The resizer (cykooz-resizer) chooses
the order itself, which matters where the first filter overshoots: 0.2 grey levels on average, over 20 at hard edges.
Asked for one direction at a time it gives Pillow's pixels, within 0.01 grey levels on average.
"""

import functools
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.preprocessing import Preprocessing

if TYPE_CHECKING:
    from cykooz_resizer import ResizeAlg, Resizer

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels and parts of them."""
BoxOf: TypeAlias = Callable[[int, int], Box]
"""From width and height of an upright picture to the part of it that is wanted."""
SUPPORT = {"bicubic": 2, "bilinear": 1, "lanczos": 3}
"""Half of a filter's width, in pixels of the smaller of the two pictures. `nearest` is absent: it has no fast way."""
STRIP_BYTES = 1 << 19
"""Bytes of the picture that are resized at a time. A strip this small stays in a core's cache; the fresh memory that a
whole picture needs took longer than the filter."""

# EXIF's orientations as two mirrors and a transposition, made in this order: 6 (a phone held upright) is stored turned
# by 90 degrees, which is a transposition and one mirror.
_MIRRORED_ACROSS = {2, 3, 7, 8}
_MIRRORED_DOWN = {3, 4, 6, 7}
_TRANSPOSED = {5, 6, 7, 8}

_per_thread = threading.local()


def crop_resize(
    pixels: npt.NDArray[np.uint8],
    preprocessing: Preprocessing,
    *,
    orientation: int = 1,
    size: tuple[int, int] | None = None,
) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3] as stored -> uint8 [image_size, image_size, 3], upright: the part that a model sees.

    Args:
        pixels: a picture of any size.
        preprocessing: size, crop and filter; not `nearest`.
        orientation: as in `box_resize`.
        size: as in `box_resize`.
    """
    height, width = pixels.shape[:2]
    width, height = upright_size(*size, orientation) if size else upright_size(width, height, orientation)
    return box_resize(
        pixels,
        preprocessing.source_box,
        preprocessing.image_size,
        preprocessing.interpolation,
        orientation=orientation,
        size=size,
        resized_height=preprocessing.resized_size(width, height)[1],
    )


def box_resize(
    pixels: npt.NDArray[np.uint8],
    box_of: BoxOf,
    side: int,
    interpolation: str,
    *,
    orientation: int = 1,
    size: tuple[int, int] | None = None,
    resized_height: int | None = None,
) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3] as stored -> uint8 [side, side, 3], upright: a part, stretched to a square.

    Args:
        pixels: a picture of any size.
        box_of: the part.
        side: of the result, in pixels.
        interpolation: the filter; not `nearest`.
        orientation: EXIF's, 1 to 8; the turn is made on the small result.
        size: width and height of the picture as it is stored, where it was decoded to some eighths of them.
        resized_height: that Pillow would give the upright picture, where more than the part is resized; it decides the
            order in which Pillow filters.
    """
    height, width = pixels.shape[:2]
    stored_size: tuple[int, int] = size or (width, height)
    box = stored_box(*stored_size, box_of, orientation)
    if size is not None:
        # libjpeg scales by exact eighths and rounds the sides up: 4001 pixels at 1/2 are 2001. Dividing the sides
        # would stretch the picture by a part of a pixel, so the eighth is found again and the box scaled by it.
        scale = round(8 * max(width, height) / max(size)) / 8
        box = (box[0] * scale, box[1] * scale, min(box[2] * scale, width), min(box[3] * scale, height))
    support = SUPPORT[interpolation]
    columns = _needed(box[0], box[2], width, side, support)
    rows = _needed(box[1], box[3], height, side, support)
    across = (box[0] - columns[0], box[2] - columns[0])
    down = (box[1] - rows[0], box[3] - rows[0])
    part = pixels[rows[0] : rows[1], columns[0] : columns[1]]
    directions = [("across", across), ("down", down)]
    # Pillow turns the picture upright first and resizes then; here the small result is turned. So a transposed picture
    # is filtered in the other order, and Pillow's own exception (`_down_first`) turns it round once more.
    if (orientation in _TRANSPOSED) != _down_first(*upright_size(*stored_size, orientation), resized_height or side):
        directions.reverse()
    return upright(_resized(part, directions, side, interpolation), orientation)


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height of a picture after it was turned as EXIF's orientation says."""
    return (height, width) if orientation in _TRANSPOSED else (width, height)


def stored_box(width: int, height: int, box_of: BoxOf, orientation: int) -> Box:
    """A part of the upright picture, in pixels of the picture as it is stored."""
    left, top, right, bottom = box_of(*upright_size(width, height, orientation))
    if orientation in _TRANSPOSED:
        left, top, right, bottom = top, left, bottom, right
    if orientation in _MIRRORED_ACROSS:
        left, right = width - right, width - left
    if orientation in _MIRRORED_DOWN:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def _down_first(width: int, height: int, resized_height: int) -> bool:
    """Whether Pillow filters columns first: since 13.0 it does where a picture over twice as tall as wide shrinks."""
    return height > 2 * width and resized_height < height and _pillow_major() >= 13


@functools.cache
def _pillow_major() -> int:
    from PIL import __version__  # Pillow's package alone: none of its modules is loaded on the fast way

    return int(__version__.partition(".")[0])


def _needed(start: float, end: float, size: int, side: int, support: int) -> tuple[int, int]:
    """The pixels that the filter touches, and one more on each side."""
    # An antialiasing filter is as wide as its support in pixels of the result, so it widens as the picture shrinks.
    reach = support * max(1.0, (end - start) / side) + 1
    return max(0, math.floor(start - reach)), min(size, math.ceil(end + reach))


def _resized(
    pixels: npt.NDArray[np.uint8], directions: list[tuple[str, tuple[float, float]]], side: int, interpolation: str
) -> npt.NDArray[np.uint8]:
    try:
        import cykooz_resizer as resizer
    except ModuleNotFoundError:  # there is no wheel for arm64 Linux; Pillow has its own order by itself
        return _resized_by_pillow(pixels, dict(directions), side, interpolation)
    filters = {
        "bicubic": resizer.FilterType.catmull_rom,  # a = -0.5, Pillow's; others call a = -0.75 bicubic
        "bilinear": resizer.FilterType.bilinear,
        "lanczos": resizer.FilterType.lanczos3,
    }
    algorithm = resizer.ResizeAlg.convolution(filters[interpolation])
    for direction, box in directions:
        pixels = _resized_in_strips(resizer, algorithm, pixels, direction, box, side)
    return pixels


def _resized_in_strips(
    resizer: Any,
    algorithm: "ResizeAlg",
    pixels: npt.NDArray[np.uint8],
    direction: str,
    box: tuple[float, float],
    side: int,
) -> npt.NDArray[np.uint8]:
    """Resize in one direction, a strip at a time: rows (or columns) do not depend on each other.

    Args:
        resizer: the library.
        algorithm: its filter.
        pixels: [height, width, 3].
        direction: `across`, or `down`.
        box: start and end of what becomes the `side` pixels in that direction.
        side: in pixels.
    """
    start, end = box
    height, width = pixels.shape[:2]
    lines = height if direction == "across" else width
    step = max(1, STRIP_BYTES * lines // pixels.nbytes)
    strips = []
    for first in range(0, lines, step):
        if direction == "across":
            strip = pixels[first : first + step]
            shape, crop = (len(strip), side), resizer.CropBox(start, 0, end - start, len(strip))
        else:
            strip = pixels[:, first : first + step]
            shape, crop = (side, strip.shape[1]), resizer.CropBox(0, start, strip.shape[1], end - start)
        # `tobytes` copies what is not contiguous (a crop, a strip of columns); the copy is as small as the strip.
        image = resizer.ImageData(strip.shape[1], strip.shape[0], resizer.PixelType.U8x3, strip.tobytes())
        result = resizer.ImageData(shape[1], shape[0], resizer.PixelType.U8x3)
        options = resizer.ResizeOptions(resize_alg=algorithm, crop_box=crop, use_alpha=False)
        _resizer(resizer).resize(image, result, options)
        strips.append(np.frombuffer(result.get_buffer(), np.uint8).reshape(*shape, 3))
    return strips[0] if len(strips) == 1 else np.concatenate(strips, axis=0 if direction == "across" else 1)


def _resizer(module: Any) -> "Resizer":
    """One for each thread: it keeps its buffers between pictures, and two threads must not share them."""
    if not hasattr(_per_thread, "resizer"):
        _per_thread.resizer = module.Resizer()
    return _per_thread.resizer


def _resized_by_pillow(
    pixels: npt.NDArray[np.uint8], box: dict[str, tuple[float, float]], side: int, interpolation: str
) -> npt.NDArray[np.uint8]:
    from PIL import Image

    from regnety.images.decoding import FILTERS

    (left, right), (top, bottom) = box["across"], box["down"]
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), FILTERS[interpolation], box=(left, top, right, bottom)))


def upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, ...] as stored -> turned as EXIF's orientation says."""
    if orientation in _MIRRORED_ACROSS:
        pixels = pixels[:, ::-1]
    if orientation in _MIRRORED_DOWN:
        pixels = pixels[::-1]
    if orientation in _TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels)
