"""What stands beside the pixels and is too long, cut off or wrong does not cost the picture, on any way."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, smooth
from regnety.errors import ImageError
from regnety.images.decoding import load_image
from regnety.images.formats import GIF, JPEG, PIXEL_WAYS, PNG, WEBP, PixelWay
from regnety.images.parts import parts_of
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

SHOWN = Preprocessing(image_size=32, crop_pct=1.0)
IMAGE = smooth(48, 32)
A_PNG = encoded(IMAGE, "PNG")
A_JPEG = encoded(IMAGE, "JPEG")
A_WEBP = encoded(IMAGE, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", icc_profile=b"profile.")
LONG = os.urandom(1000) * 1300
"""Over a MiB; it packs well."""


def chunk(kind: bytes, data: bytes, *, crc: int | None = None, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def png_with(chunks: bytes, *, before: bytes = b"IDAT", image: bytes = A_PNG) -> bytes:
    place = image.index(before) - 4
    return image[:place] + chunks + image[place:]


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def jpeg_with(segments: bytes) -> bytes:
    return A_JPEG[:2] + segments + A_JPEG[2:]


def frame_control(number: int, width: int = 48, x: int = 0) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, 32, x, 0, 1, 10, 0, 0))


EXIF_PLACE, ICC_PLACE = A_WEBP.index(b"EXIF"), A_WEBP.index(b"ICCP")
PNGS = {
    "zTXt over a MiB": png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(LONG))),
    "iTXt over a MiB": png_with(chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(LONG))),
    "iCCP over a MiB": png_with(chunk(b"iCCP", b"p\0\0" + zlib.compress(LONG))),
    "XMP over a MiB": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LONG))),
    "80 MiB of texts": png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) * 80),
    "a text behind the pixels over a MiB": png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(LONG)), before=b"IEND"),
    "iCCP of another method": png_with(chunk(b"iCCP", b"p\0\7" + zlib.compress(b"x"))),
    "iCCP without an end of its name": png_with(chunk(b"iCCP", b"p")),
    "iCCP of nothing": png_with(chunk(b"iCCP", b"")),
    "zTXt of another method": png_with(chunk(b"zTXt", b"k\0\7x")),
    "tEXt of nothing": png_with(chunk(b"tEXt", b"")),
    "iTXt of one byte": png_with(chunk(b"iTXt", b"k\0\1")),
    **{
        f"{kind.decode()} with a wrong checksum": png_with(chunk(kind, data, crc=1))
        for kind, data in (
            (b"tEXt", b"k\0v"),
            (b"gAMA", bytes(4)),
            (b"eXIf", b"II*\0"),
            (b"tIME", bytes(7)),
            (b"xyZz", b"private"),
        )
    },
    **{
        f"{kind.decode()} that is cut short": png_with(chunk(kind, b"\0"))
        for kind in (b"gAMA", b"cHRM", b"pHYs", b"tRNS", b"acTL", b"fcTL")
    },
    "sRGB of nothing": png_with(chunk(b"sRGB", b"")),
    "a chunk nobody knows": png_with(chunk(b"abCd", b"private" * 1000)),
    "an animation out of order": png_with(chunk(b"acTL", struct.pack(">II", 3, 0)) + frame_control(7)),
    "an animation larger than the picture": png_with(
        chunk(b"acTL", struct.pack(">II", 2, 0)) + frame_control(0, 99, 9)
    ),
    "an animation of no frames": png_with(chunk(b"acTL", bytes(8))),
    "a text that is cut off behind the pixels": png_with(chunk(b"tEXt", b"k\0v", length=5000), before=b"IEND")[:-12],
    "no end": A_PNG[: A_PNG.index(b"IEND") - 4],
    "a text between the pixels": b"".join(
        (
            A_PNG[: A_PNG.index(b"IDAT") - 4],
            chunk(b"IDAT", (idat := A_PNG[A_PNG.index(b"IDAT") + 4 : A_PNG.index(b"IEND") - 8])[:50]),
            chunk(b"tEXt", b"k\0v"),
            chunk(b"IDAT", idat[50:]),
            chunk(b"IEND", b""),
        )
    ),
}
JPEGS = {
    "JFIF of four bytes": jpeg_with(segment(0xE0, b"JFIF")),
    "Adobe of five bytes": jpeg_with(segment(0xEE, b"Adobe")),
    "a profile of nothing": jpeg_with(segment(0xE2, b"ICC_PROFILE\0")),
    "a profile of which eight parts are missing": jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\x09" + bytes(60_000))),
    "an index of pictures that is none": jpeg_with(segment(0xE2, b"MPF\0" + os.urandom(50))),
    "Photoshop's block, cut off": jpeg_with(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed")),
    "300 segments": jpeg_with(segment(0xE7, bytes(60_000)) * 300),
    "a comment of nothing": jpeg_with(segment(0xFE, b"")),
    "bytes behind it": A_JPEG + os.urandom(100_000),
}
WEBPS = {
    "EXIF longer than the file": A_WEBP[: EXIF_PLACE + 4] + struct.pack("<I", 9999) + A_WEBP[EXIF_PLACE + 8 :],
    "EXIF cut off": A_WEBP[:-5],
    "EXIF of random bytes": A_WEBP[: EXIF_PLACE + 8] + os.urandom(len(A_WEBP) - EXIF_PLACE - 8),
    "an odd chunk without its last byte": A_WEBP[:EXIF_PLACE] + b"EXIF\7\0\0\0abcdefg",
    "a length of 0": A_WEBP[:4] + bytes(4) + A_WEBP[8:],
    "a length over the file": A_WEBP[:4] + b"\xff\xff\xff\x7f" + A_WEBP[8:],
    "a chunk nobody knows": A_WEBP[:ICC_PLACE] + b"WHAT\4\0\0\0what" + A_WEBP[ICC_PLACE:],
    "bytes behind it": A_WEBP + b"more" * 9,
}
WHOLE = {
    f"{name}: {case}": data
    for name, cases in (("PNG", PNGS), ("JPEG", JPEGS), ("WebP", WEBPS))
    for case, data in cases.items()
}
DAMAGED = {
    "the header's checksum": (A_PNG[:29] + bytes(4) + A_PNG[33:], "is not a PNG image that can be read; it is damaged"),
    "a palette's checksum": (
        png_with(chunk(b"PLTE", bytes(30), crc=1), image=encoded(IMAGE.quantize(16), "PNG"), before=b"PLTE"),
        "is not a PNG image that can be read; it is damaged",
    ),
    "no header": (A_PNG[:8] + A_PNG[33:], ""),
    "no pixels": (A_PNG[: A_PNG.index(b"IDAT") - 4] + chunk(b"IEND", b""), "cannot be "),
    "half of the pixels": (A_PNG[: len(A_PNG) // 2], "cannot be decoded: "),
    "half of the pixels, and texts": (png_with(chunk(b"tEXt", b"k\0v"))[: len(A_PNG) // 2], "cannot be decoded: "),
    "a text that is longer than the file": (png_with(chunk(b"tEXt", b"k\0v", length=2**31 - 1)), ""),
    "half of a WebP": (A_WEBP[: EXIF_PLACE - 30], "cannot be "),
    "a WebP without pixels": (A_WEBP[:ICC_PLACE], "cannot be "),
    "most of a JPEG": (
        jpeg_with(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed"))[:-200],
        "cannot be decoded: ",
    ),
}


@pytest.mark.parametrize("way", PIXEL_WAYS)
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_the_picture_is_whole(data: bytes, way: PixelWay) -> None:
    plain = {b"\x89P": A_PNG, b"\xff\xd8": A_JPEG, b"RI": A_WEBP}[data[:2]]
    np.testing.assert_array_equal(load_pixels(data, SHOWN, way=way), load_pixels(plain, SHOWN, way=way))


@pytest.mark.parametrize("way", PIXEL_WAYS)
@pytest.mark.parametrize(("data", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_to_what_the_pixels_need_stays_an_error(data: bytes, message: str, way: PixelWay) -> None:
    with pytest.raises(ImageError, match=f"^image: {message}"):
        load_pixels(data, SHOWN, way=way)


def test_where_a_text_is_too_long_the_picture_is_turned_all_the_same() -> None:
    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    packet = LONG + b'<x tiff:Orientation="8"/>'
    for chunks, marker in (
        (chunk(b"eXIf", exif, crc=1), 6),
        (chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)), 8),
    ):
        data = png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(LONG)) + chunks)
        turn = {6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}[marker]
        np.testing.assert_array_equal(load_image(data), np.asarray(IMAGE.transpose(turn)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_without_its_chunks_a_png_has_the_same_pixels(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 40)
    else:
        image = IMAGE.convert(mode)
    keys = {"P": bytes(range(0, 250, 2)), "L": 128, "RGB": (0, 0, 0), "1": 0, "I;16": 400}
    transparency = {"transparency": keys[mode]} if mode in keys else {}
    data = encoded(image, "PNG", icc_profile=b"profile", dpi=(72, 72), **transparency)
    parts = parts_of(data, PNG)
    assert len(parts.pixels) < len(data)
    for name in (b"iCCP", b"pHYs", b"tRNS"):
        assert name not in parts.pixels
    opened = Image.open(io.BytesIO(data))
    if mode == "I;16":
        wanted = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8)).convert("RGB")
    else:
        wanted = opened.convert("RGBA" if mode == "P" else opened.mode).convert("RGB")
    np.testing.assert_array_equal(load_image(data), wanted)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "keep"])
def test_a_jpeg_keeps_what_says_how_its_colours_are_stored(mode: str) -> None:
    options = {"keep_rgb": True} if mode == "keep" else {}
    image = noise(48, 32).convert("RGB" if mode == "keep" else mode)
    data = encoded(image, "JPEG", exif=b"Exif\0\0II*\0", comment=b"a comment", icc_profile=b"profile", **options)
    parts = parts_of(data, JPEG)
    assert b"comment" not in parts.pixels
    assert b"profile" not in parts.pixels
    assert (b"Adobe" in parts.pixels) == (b"Adobe" in data)
    np.testing.assert_array_equal(load_image(data), Image.open(io.BytesIO(data)).convert("RGB"))


def test_of_an_animated_webp_the_first_frame_stays() -> None:
    data = encoded(IMAGE, "WEBP", save_all=True, append_images=[noise(48, 32)], exif=b"Exif\0\0II*\0")
    assert b"EXIF" not in parts_of(data, WEBP).pixels
    np.testing.assert_array_equal(load_image(data), Image.open(io.BytesIO(data)).convert("RGB"))


def test_other_formats_stay_as_they_are() -> None:
    data = encoded(IMAGE, "GIF")
    assert parts_of(data, GIF).pixels is data


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("plain", [A_PNG, A_JPEG, A_WEBP], ids=["PNG", "JPEG", "WebP"])
def test_no_bytes_make_taking_apart_fail(plain: bytes) -> None:
    generator = np.random.default_rng(5)
    image_format = {b"\x89P": PNG, b"\xff\xd8": JPEG, b"RI": WEBP}[plain[:2]]
    for _ in range(1000):
        data = bytearray(plain)
        for place in generator.integers(0, len(data), 4):
            data[place] = generator.integers(256)
        parts_of(bytes(data[: generator.integers(len(data))]), image_format)
