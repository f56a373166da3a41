"""JPEG without Pillow: what the markers say, and the pixels.

The camera's format is most of what is shown to a model, and libjpeg-turbo behind `simplejpeg` decodes it in threads.
The pixels are Pillow's, which has the same library; what is not plain (four colours, damage) is left for Pillow.
"""

import re
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of a frame, which has the size."""
_BARE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a length."""
_SCAN, _APP1 = 0xDA, 0xE1
_EXIF = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112
LARGEST_BUFFER = 1 << 26
"""Bytes that a thread keeps for the next picture, at most: 22 megapixels."""
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([0-9])")

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
    """Walk the markers up to the frame; None where they lead nowhere."""
    place, exif, xmp = 2, 0, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF or marker in _BARE:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _FRAMES and place + 10 <= len(data):
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
            return JpegHeader(width, height, data[place + 9], exif or xmp or 1) if width and height else None
        if marker == _SCAN or length < 2:
            return None
        if marker == _APP1:
            segment = data[place + 4 : place + 2 + length]
            if segment.startswith(_EXIF):
                exif = exif or _exif_orientation(segment[len(_EXIF) :])
            elif found := _XMP_ORIENTATION.search(segment):
                xmp = _valid(int(found[1]))
        place += 2 + length
    return None


def decode_jpeg(
    data: bytes, *, smallest_side: int | None = None, reused_for: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8] | None:
    """Bytes -> uint8 [height, width, 3] in RGB; None for what this decoder does not read, or not without a warning.

    Args:
        data: the file.
        smallest_side: in pixels: decode to the smallest of 1/8, 2/8, 3/8 and 4/8 of the picture (rounded up) both of
            whose sides have as many, where there is one. It is the coefficients that are scaled, which spares most of
            the work.
        reused_for: width and height of the picture, as its header says them: its memory is that of the thread's last
            picture, and will be the next one's. None gives an array of its own.
    """
    import simplejpeg

    scaled = {} if smallest_side is None else {"min_width": smallest_side, "min_height": smallest_side, "min_factor": 2}
    buffer = None if reused_for is None else _buffer(*reused_for)
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", buffer=buffer, **scaled)
    except ValueError:
        return None
    return pixels


def _buffer(width: int, height: int) -> npt.NDArray[np.uint8] | None:
    """Memory for a picture, used again in this thread: fresh pages cost a sixth of decoding 12 megapixels."""
    wanted = 3 * width * height
    if wanted > LARGEST_BUFFER:
        return None
    if not hasattr(_per_thread, "buffer") or _per_thread.buffer.size < wanted:
        _per_thread.buffer = np.empty(wanted, np.uint8)
    buffer: npt.NDArray[np.uint8] = _per_thread.buffer
    return buffer


def _exif_orientation(tiff: bytes) -> int:
    """The orientation in the first directory of a TIFF structure; 0 where there is none."""
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return 0

    def number(place: int, size: int) -> int:
        return int.from_bytes(tiff[place : place + size], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if entry + 12 > len(tiff):
            return 0
        if number(entry, 2) == _ORIENTATION_TAG:
            return _valid(number(entry + 8, 4 if number(entry + 2, 2) == 4 else 2))
    return 0


def _valid(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 0
