"""Which way up a picture was taken: one rule for every format and every way to pixels, that of Pillow's exif_transpose.

EXIF comes first; XMP is asked only where EXIF has no such tag at all. A tag of a kind that holds no number, a number
that is no orientation, and a block that is no TIFF leave the picture as it is stored.
"""

import re
import struct

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
EXIF_HEADER = b"Exif\0\0"
_HEADERS = re.compile(rb"(?:Exif\0\0){1,2}")
_ORDERS = {b"II*\0": "<", b"II\0*": "<", b"MM\0*": ">", b"MM*\0": ">", b"MM\0+": ">"}
"""The first four bytes of a block, with those that are written the wrong way round, as Pillow reads them."""
_NUMBERS = {3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
"""Kinds of values, as TIFF numbers them, to how they are stored; two are a fraction."""
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
    for place in range(directory + 2, min(directory + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, place)
        size, start = number * _SIZES.get(kind, 0), place + 8
        if not size or tag in seen:
            continue
        if size > 4:
            start = struct.unpack_from(f"{order}I", tiff, start)[0]
            elsewhere += size
            if elsewhere > len(tiff):  # more than there is: passed over
                continue
            if start + size > len(tiff):  # not all there: Pillow reads no further
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
    return float(first // below[0]) if below[0] and first % below[0] == 0 else 0
