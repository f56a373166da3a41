"""A file taken apart: what its pixels are made from, and what it says beside them of how it was taken.

Photographs are written by many programs, and what goes wrong is mostly what stands beside the pixels: a text that is
too long, a profile that is cut off, a checksum that nobody renewed. Decoders refuse the whole file for it. Here a file
is taken apart by its own structure, which costs some microseconds, and a decoder is shown the pixels alone.
"""

import zlib
from dataclasses import dataclass

from regnety.images.formats import HEIF, JPEG, PNG, TIFF, WEBP, ImageFormat
from regnety.images.jpeg import header_segments, jpeg_metadata
from regnety.images.orientation import EXIF_HEADER, UPRIGHT, orientation_of

LARGEST_TEXT = 1 << 24
"""Bytes of a text of a PNG, unpacked, that are looked at."""
_EXIF_TEXT, _XMP_TEXT = b"Raw profile type exif", b"XML:com.adobe.xmp"
_ANCILLARY = 0x20
"""The bit in the first letter of a PNG chunk's name by which it may be left away."""
_WEBP_PIXELS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}
_WEBP_HAS_METADATA = 0x20 | 0x08 | 0x04
"""Bits of VP8X: there is a profile, EXIF, XMP."""
_JPEG_NEEDED = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""Application segments that say how colours are coded: how they begin, and the bytes below which they do not count."""
_COMMENT = 0xFE


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in a file."""

    pixels: bytes
    """The file without what its pixels do not need."""
    orientation: int | None
    """EXIF's, 1 to 8, that is still to be given to them; None where only the decoder finds it."""


def parts_of(data: bytes, image_format: ImageFormat) -> Parts:
    """What is in a file of this format, which may be damaged anywhere."""
    if image_format in (TIFF, HEIF):  # turned by what decodes them
        return Parts(data, UPRIGHT)
    take_apart = {JPEG: _jpeg_parts, PNG: _png_parts, WEBP: _webp_parts}.get(image_format)
    return Parts(data, None) if take_apart is None else take_apart(data)


def _jpeg_parts(data: bytes) -> Parts:
    """Where the markers lead nowhere it stays as it is."""
    segments = header_segments(data)
    if segments is None:
        return Parts(data, None)
    kept: list[bytes] = []
    done = 0
    for marker, start, end in segments:
        begin, least = _JPEG_NEEDED.get(marker, (b"", 0))
        needed = least and end - start >= 4 + least and data.startswith(begin, start + 4)
        if (0xE0 <= marker <= 0xEF or marker == _COMMENT) and not needed:
            kept.append(data[done:start])
            done = end
    return Parts(b"".join([*kept, data[done:]]), orientation_of(*jpeg_metadata(data, segments)))


def _png_parts(data: bytes) -> Parts:
    """A PNG without any chunk that may be left away; of an animation it is the first frame.

    Colours are shown as they are stored, so that neither profile nor gamma changes a pixel, nor does transparency, as
    alpha is left away. A chunk that is needed stays as it is, broken or not.
    """
    kept: list[bytes] = []
    exif: bytes | None = None
    exif_text: bytes | None = None
    xmp: bytes | None = None
    done, place, seen_pixels = 0, 8, False
    while place + 12 <= len(data):
        kind = data[place + 4 : place + 8]
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if not kind.isalpha():
            break
        if not kind[0] & _ANCILLARY:
            if end > len(data):
                break
            seen_pixels = seen_pixels or kind == b"IDAT"
            place = end
            continue
        if end > len(data) and not seen_pixels:
            break
        kept.append(data[done:place])
        content = data[place + 8 : end - 4]
        if kind == b"eXIf":
            exif = EXIF_HEADER + content
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, _, text = content.partition(b"\0")
            if keyword == _EXIF_TEXT:
                exif_text = _profile(_png_text(kind, text))
            elif keyword == _XMP_TEXT:
                xmp = _png_text(kind, text)
        done = place = end
    return Parts(b"".join([*kept, data[done:]]), orientation_of(exif_text if exif is None else exif, xmp))


def _png_text(kind: bytes, text: bytes) -> bytes:
    """What stands in a chunk of text behind its keyword; damage is no text."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = text[:1] == b"\1"
        *_, text = text[2:].split(b"\0", 2)
    elif packed:
        text = text[1:]  # the method, of which there is one
    try:
        return zlib.decompressobj().decompress(text, LARGEST_TEXT) if packed else text
    except zlib.error:
        return b""


def _profile(text: bytes) -> bytes | None:
    """EXIF as ImageMagick writes it into a text: a name, a length, and lines of hexadecimal digits."""
    try:
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return None


def _webp_parts(data: bytes) -> Parts:
    """A WebP without its profile, EXIF and XMP, whatever lengths these claim; cut-off pixels stay as they are."""
    kept: list[bytes] = []
    exif: bytes | None = None
    xmp: bytes | None = None
    place = 12
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + size
        if end > len(data):
            if kind in _WEBP_PIXELS:
                return Parts(data, orientation_of(exif, xmp))
            break
        content = data[place + 8 : end]
        if kind == b"VP8X" and content:
            content = bytes([content[0] & ~_WEBP_HAS_METADATA]) + content[1:]
        if kind in _WEBP_PIXELS:
            kept += [data[place : place + 8], content, b"\0" * (size & 1)]
        elif kind == b"EXIF":
            exif = exif or content
        elif kind == b"XMP ":
            xmp = xmp or content
        place = end + (size & 1)
    pixels = b"".join(kept)
    file = b"RIFF" + (4 + len(pixels)).to_bytes(4, "little") + b"WEBP" + pixels
    return Parts(file, orientation_of(exif, xmp))
