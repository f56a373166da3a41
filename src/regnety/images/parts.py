"""A file taken apart: the bytes that its pixels need, and the orientation that stands beside them.

Many programs edit photographs, and most damage is beside the pixels: a text that is too long, a profile cut off, a
checksum that was not updated. Decoders refuse the whole file for it. Taking a file apart by its structure costs some
microseconds, and then a decoder is given the pixels alone.
"""

import zlib
from dataclasses import dataclass

from regnety.images.formats import HEIF, JPEG, PNG, TIFF, WEBP, ImageFormat
from regnety.images.jpeg import header_segments, jpeg_metadata
from regnety.images.orientation import EXIF_HEADER, UPRIGHT, orientation_of

LARGEST_TEXT = 1 << 24
"""Bytes of a PNG's compressed text that are unpacked: a few kilobytes can unpack to gigabytes."""
_EXIF_TEXT, _XMP_TEXT = b"Raw profile type exif", b"XML:com.adobe.xmp"
_ANCILLARY = 0x20
"""The bit in the first letter of a PNG chunk's name that marks it as optional (a lower-case letter)."""
_WEBP_PIXELS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}
_WEBP_HAS_METADATA = 0x20 | 0x08 | 0x04
"""Bits of VP8X: there is a profile, EXIF, XMP."""
_JPEG_NEEDED = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""Application segments that say how colours are coded: what they begin with, and the length from which they count."""
_COMMENT = 0xFE


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in a file."""

    pixels: bytes
    """The file without what its pixels do not need."""
    orientation: int | None
    """EXIF's, 1 to 8, by which they still have to be turned; None where only the decoder can find it."""


def parts_of(data: bytes, image_format: ImageFormat) -> Parts:
    """What is in a file of this format, which may be damaged anywhere."""
    if image_format in (TIFF, HEIF):  # Pillow and libheif turn these themselves
        return Parts(data, UPRIGHT)
    take_apart = {JPEG: _jpeg_parts, PNG: _png_parts, WEBP: _webp_parts}.get(image_format)
    return Parts(data, None) if take_apart is None else take_apart(data)


def _jpeg_parts(data: bytes) -> Parts:
    """A JPEG without comments and application segments, but for the two that change how colours are decoded."""
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
    """A PNG without its optional chunks; of an animation the first frame stays.

    Neither a profile, nor gamma, nor transparency changes a pixel here: colours are taken as they are stored, and alpha
    is dropped. A critical chunk stays as it is, broken or not.
    """
    kept: list[bytes] = []
    exif: bytes | None = None
    exif_text: bytes | None = None
    xmp: bytes | None = None
    done, place, seen_pixels = 0, 8, False
    while place + 12 <= len(data):
        kind = data[place + 4 : place + 8]
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")  # length, name, content, CRC
        if not kind.isalpha():  # no chunk begins here: the decoder sees the rest as it is
            break
        if not kind[0] & _ANCILLARY:
            if end > len(data):
                break
            seen_pixels = seen_pixels or kind == b"IDAT"
            place = end
            continue
        if end > len(data) and not seen_pixels:  # cut off before any pixel
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
    """The text of a chunk, after its keyword; nothing where it is damaged."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = text[:1] == b"\1"
        *_, text = text[2:].split(b"\0", 2)  # after flag, method, language and translated keyword
    elif packed:
        text = text[1:]  # the compression method, of which there is one
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
    """A WebP without profile, EXIF and XMP, whatever lengths they claim; one with its pixels cut off stays as it is."""
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
            kept += [data[place : place + 8], content, b"\0" * (size & 1)]  # RIFF pads chunks to even lengths
        elif kind == b"EXIF":
            exif = exif or content
        elif kind == b"XMP ":
            xmp = xmp or content
        place = end + (size & 1)
    pixels = b"".join(kept)
    file = b"RIFF" + (4 + len(pixels)).to_bytes(4, "little") + b"WEBP" + pixels
    return Parts(file, orientation_of(exif, xmp))
