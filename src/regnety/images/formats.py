"""Which image formats are read. A file's first bytes say what it is, never its name.

A folder's files are found by their suffix, and without what other programs keep beside photographs.
"""

from dataclasses import dataclass
from typing import Literal, get_args

HEAD_SIZE = 32
"""Bytes from the start of a file that tell its format."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format and how its files are recognised."""

    name: str
    """Pillow's name of it."""
    suffixes: tuple[str, ...]
    signatures: tuple[bytes, ...]
    """What a file begins with; in the ISO container the brands in its first box."""
    is_in_iso_container: bool = False


JPEG = ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (b"\xff\xd8\xff",))
PNG = ImageFormat("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",))
GIF = ImageFormat("GIF", (".gif",), (b"GIF87a", b"GIF89a"))
TIFF = ImageFormat("TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
BMP = ImageFormat("BMP", (".bmp",), (b"BM",))
WEBP = ImageFormat("WEBP", (".webp",), (b"RIFF",))
AVIF = ImageFormat("AVIF", (".avif",), (b"avif", b"avis"), True)
HEIF = ImageFormat(
    "HEIF", (".heic", ".heif"), (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), True
)
FORMATS = (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF)
SUFFIXES = tuple(suffix for image_format in FORMATS for suffix in image_format.suffixes)
"""Endings of the files that a folder is searched for, in any case."""
MAX_PIXELS = 200_000_000
"""Width times height above which a picture is refused before it is decoded, unless told otherwise."""
KEPT_BY_OTHERS = ("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "__macosx")
"""Folders in which a NAS (Synology, QNAP), Windows or macOS keeps thumbnails, deleted files and snapshots; in lower
case."""
PixelWay = Literal["fast", "exact", "draft"]
"""The way from an image to the pixels that a model is shown (`images/pixels.py`)."""
PIXEL_WAYS: tuple[PixelWay, ...] = get_args(PixelWay)
READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC"
"""For people."""


def format_of(head: bytes) -> ImageFormat | None:
    """What the first `HEAD_SIZE` bytes of a file say it is, however many are given; None for anything else."""
    head = head[:HEAD_SIZE]
    if head[4:8] == b"ftyp":
        # The major brand stands at 8, compatible ones from 16 on. Many phones write the general `mif1` as the major
        # brand, which AVIF files have among the compatible ones too: so AVIF comes before HEIF in `FORMATS`.
        brands = {head[place : place + 4] for place in (8, *range(16, len(head), 4))}
        return next((of for of in FORMATS if of.is_in_iso_container and brands & set(of.signatures)), None)
    if head.startswith(WEBP.signatures):
        return WEBP if head[8:12] == b"WEBP" else None  # RIFF is a container of sounds and films too
    return next((of for of in FORMATS if not of.is_in_iso_container and head.startswith(of.signatures)), None)


def is_passed_over(name: str) -> bool:
    """Whether what was found in a folder is hidden or belongs to another program, so that it is nobody's photograph."""
    return name.startswith(".") or name.lower() in KEPT_BY_OTHERS
