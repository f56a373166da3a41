"""JPEG without Pillow: what the markers say, and the pixels.

The camera's format is most of what is shown to a model, and libjpeg-turbo behind `simplejpeg` decodes it in threads.
The pixels are Pillow's, which has the same library; what is not plain (four colours, damage) is left for Pillow.
"""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.images.orientation import EXIF_HEADER, orientation_of

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of a frame, which has the size."""
_BARE = {0x01, *range(0xD0, 0xD9)}
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
        if marker == 0xFF or marker in _BARE:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if marker not in _WITH_LENGTH or length < 2 + 6 * (marker in _FRAMES) or end > len(data):
            return None
        segments.append((marker, place, end))
        if marker == _SCAN:
            return segments
        place = end
    return None


def jpeg_metadata(data: bytes, segments: list[tuple[int, int, int]]) -> tuple[bytes | None, bytes | None]:
    """EXIF, of which several segments make one block, and XMP, of which the last one counts."""
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
