"""JPEG without Pillow: what the markers say, and the pixels.

Most photographs are JPEG, and `simplejpeg` (libjpeg-turbo) releases Python's lock while it decodes. The pixels are
Pillow's, which uses the same library. What is not plain (print colours, damage) is left to Pillow.
"""

import threading
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from regnety.images.orientation import EXIF_HEADER, orientation_of

# Markers, by the second of their two bytes (ITU T.81, table B.1).
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # less Huffman tables, reserved, arithmetic conditioning
"""Start of a frame, which has the size."""
_BARE = {0x01, *range(0xD0, 0xD9)}  # TEM, restarts, start of image
"""Markers without a length."""
_WITH_LENGTH = {*range(0xC0, 0xF0), 0xFE} - _BARE - {0xC8, 0xD9}
_SCAN, _APP1 = 0xDA, 0xE1
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
LARGEST_BUFFER = 1 << 26
"""Bytes that a thread keeps for the next picture, at most: 22 megapixels."""

_per_thread = threading.local()


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What is known before anything is decoded."""

    width: int
    height: int
    components: int
    """1 is grey, 3 colour, 4 print colours."""
    orientation: int
    """EXIF's, 1 to 8; 1 where there is none, or none that can be read."""


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """What the markers before the first scan say; None where they lead nowhere."""
    segments = header_segments(data)
    frame = next((start for marker, start, _ in segments or () if marker in _FRAMES), None)
    if segments is None or frame is None:
        return None
    height, width = (int.from_bytes(data[frame + at : frame + at + 2], "big") for at in (5, 7))
    if not width or not height:
        return None
    return JpegHeader(width, height, data[frame + 9], orientation_of(*jpeg_metadata(data, segments)))


def header_segments(data: bytes) -> list[tuple[int, int, int]] | None:
    """(marker, start, end) of what stands before the first scan, and of its header; None where they lead nowhere."""
    segments, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF or marker in _BARE:  # any number of 0xFF may fill the space before a marker
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        # The length counts its own two bytes; a frame has six more: precision, height, width, components.
        if marker not in _WITH_LENGTH or length < 2 + 6 * (marker in _FRAMES) or end > len(data):
            return None
        segments.append((marker, place, end))
        if marker == _SCAN:
            return segments
        place = end
    return None


def jpeg_metadata(data: bytes, segments: list[tuple[int, int, int]]) -> tuple[bytes | None, bytes | None]:
    """EXIF, joined from its segments (one holds 64 KiB), and XMP, of which the last counts, both as in Pillow."""
    exif = xmp = None
    for marker, start, end in segments:
        if marker != _APP1:
            continue
        if data.startswith(EXIF_HEADER, start + 4):
            exif = data[start + 4 : end] if exif is None else exif + data[start + 4 + len(EXIF_HEADER) : end]
        elif data.startswith(_XMP, start + 4):
            xmp = data[start + 4 + len(_XMP) : end]
    return exif, xmp


def decode_jpeg(
    data: bytes,
    *,
    colours: Literal["RGB", "GRAY"] = "RGB",
    smallest_side: int | None = None,
    reused_for: tuple[int, int] | None = None,
) -> npt.NDArray[np.uint8] | None:
    """Bytes -> uint8 [height, width, 3] in RGB; None for what this decoder does not read, or not without a warning.

    Args:
        data: the file.
        colours: with `GRAY` the result is its brightness, [height, width, 1].
        smallest_side: decode to the smallest of 1/8, 2/8, 3/8 and 4/8 of the picture (rounded up) with this many pixels
            on both sides, where there is one.
        reused_for: width and height from the header: the result lies in memory that this thread's next picture
            overwrites. None gives a new array.
    """
    import simplejpeg

    # libjpeg scales in the frequency domain: of each 8x8 block only the lowest coefficients go through the inverse DCT,
    # which spares most of the work. `min_factor` 2 leaves out the scales between 4/8 and the whole.
    scaled = {} if smallest_side is None else {"min_width": smallest_side, "min_height": smallest_side, "min_factor": 2}
    buffer = None if reused_for is None else _buffer(*reused_for)
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, buffer=buffer, **scaled)
    except ValueError:  # damage, and also warnings: whether they matter is decided by Pillow
        return None
    return pixels


def _buffer(width: int, height: int) -> npt.NDArray[np.uint8] | None:
    """Memory for a picture, reused in this thread: fresh pages take a sixth of the time of decoding 12 megapixels."""
    wanted = 3 * width * height
    if wanted > LARGEST_BUFFER:
        return None
    if not hasattr(_per_thread, "buffer") or _per_thread.buffer.size < wanted:
        _per_thread.buffer = np.empty(wanted, np.uint8)
    buffer: npt.NDArray[np.uint8] = _per_thread.buffer
    return buffer
