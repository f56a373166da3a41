"""Which way up a picture was taken: Pillow's rule (`ImageOps.exif_transpose`) for every format and every way to pixels.

EXIF comes first; XMP counts only where EXIF has no such tag at all. A tag whose kind holds no number, a number that is
no orientation, and a block that is not TIFF leave the picture as it is stored.

The tag is read here, and not by Pillow, because Pillow takes longer to be imported than a photograph to be decoded.
"""

import re
import struct

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
EXIF_HEADER = b"Exif\0\0"
_HEADERS = re.compile(rb"(?:Exif\0\0){1,2}")
_ORDERS = {b"II*\0": "<", b"II\0*": "<", b"MM\0*": ">", b"MM*\0": ">", b"MM\0+": ">"}
"""The first four bytes of a TIFF block to its byte order. Pillow also reads a magic number in the wrong order (II\\0*,
MM*\\0) and BigTIFF's (MM\\0+), so they are here."""
_NUMBERS = {3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
"""Kinds of values, as TIFF numbers them, to their `struct` codes; a rational (5, 10) is two numbers."""
_SIZES = {1: 1, 2: 1, 7: 1} | {kind: struct.calcsize(f"<{code}") for kind, code in _NUMBERS.items()}
"""Bytes of a value of each kind; a kind that is not here is passed over."""
_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([0-9])")


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """EXIF's orientation, 1 to 8; 1 where nothing says another.

    Args:
        exif: a TIFF structure, with or without the header `Exif\\0\\0`.
        xmp: a packet of XMP.
    """
    value = _exif_value(exif) if exif else None
    if value is None and xmp:
        match = _XMP.search(xmp)
        value = int(match[1]) if match else None
    return int(value) if value is not None and value in range(2, 9) else UPRIGHT


def _exif_value(exif: bytes) -> float | None:
    """What the first directory has as orientation; None without one, 0 for what is no number or cannot be read."""
    header = _HEADERS.match(exif)
    tiff = exif[header.end() :] if header else exif
    if not tiff:
        return None
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 0
    directory = struct.unpack_from(f"{order}I", tiff, 4)[0]
    if directory + 2 > len(tiff):
        return None
    count = struct.unpack_from(f"{order}H", tiff, directory)[0]
    elsewhere, seen = 0, set()
    # 12 bytes an entry: tag, kind, number of values, and the values themselves or, over 4 bytes, where they stand. A
    # damaged count is cut to the entries for which there is room. Of a tag that comes twice the first counts.
    for place in range(directory + 2, min(directory + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, place)
        size, start = number * _SIZES.get(kind, 0), place + 8
        if not size or tag in seen:
            continue
        if size > 4:
            start = struct.unpack_from(f"{order}I", tiff, start)[0]
            elsewhere += size
            if elsewhere > len(tiff):  # all values together are larger than the block: Pillow skips the entry
                continue
            if start + size > len(tiff):  # cut off: Pillow stops reading the directory
                return None
        if tag == ORIENTATION_TAG:
            return _first_number(tiff, start, kind, order)
        seen.add(tag)
    return None


def _first_number(tiff: bytes, start: int, kind: int, order: str) -> float:
    if kind not in _NUMBERS:
        return 0
    first, *below = struct.unpack_from(order + _NUMBERS[kind], tiff, start)
    if not below:
        return float(first)
    return float(first // below[0]) if below[0] and first % below[0] == 0 else 0  # 6/1 is 6, 13/2 is none
