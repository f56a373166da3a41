"""A corpus of odd images, made here: each is the right picture or one clear error, on both ways to pixels."""

import contextlib
import io
import struct
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, png_that_claims, smooth
from regnety.errors import ImageError
from regnety.images.formats import PIXEL_WAYS, PixelWay
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

ORIENTATION = 0x0112
WIDTH, HEIGHT = 48, 32
LOSSLESS, LOSSY = 0.3, 5.0
SHOWN = Preprocessing(image_size=32, crop_pct=1.0)
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""How an upright picture is stored under each orientation."""


MODES = {
    "1": "PNG TIFF GIF BMP",
    "L": "PNG TIFF GIF BMP WEBP",
    "LA": "PNG TIFF",
    "P": "PNG TIFF GIF BMP",
    "RGBA": "PNG TIFF GIF BMP WEBP",
}


def corners() -> Image.Image:
    """Red, green, blue and white quarters: any wrong turn, mirror or channel shows."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (200, 30, 30)
    pixels[: HEIGHT // 2, WIDTH // 2 :] = (30, 180, 30)
    pixels[HEIGHT // 2 :, : WIDTH // 2] = (30, 30, 200)
    pixels[HEIGHT // 2 :, WIDTH // 2 :] = (230, 230, 230)
    return Image.fromarray(pixels)


def grey_of(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def icc_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def without_adobe(data: bytes) -> bytes:
    """A JPEG whose APP14 marker, which says how colours are coded, is taken out."""
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + struct.unpack(">H", data[start + 2 : start + 4])[0] :]


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def with_marker(data: bytes, marker: bytes) -> bytes:
    return data[:2] + marker + data[2:]


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand, of depths and with chunks that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def deep_png(image: Image.Image, colour: int) -> bytes:
    """16 bits a channel: grey (0), colour (2), grey with alpha (4), colour with alpha (6)."""
    pixels = np.asarray(image.convert({0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}[colour])).reshape(image.height, -1)
    deep = (pixels.astype(">u2") * 257).tobytes()
    step = len(deep) // image.height
    rows = b"".join(b"\0" + deep[row * step : (row + 1) * step] for row in range(image.height))
    return png(*image.size, 16, colour, rows)


def animated(file_format: str) -> bytes:
    return encoded(corners(), file_format, save_all=True, append_images=[noise(WIDTH, HEIGHT, seed=n) for n in (1, 2)])


def right_ones() -> Iterator[tuple[str, bytes, Image.Image, int]]:
    """(name, file, the picture that it is, levels that it may miss it by in the mean); a wrong turn misses by 60."""
    image = corners()
    lossless: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
    for file_format, options in {
        **lossless,
        "JPEG": {"quality": 95, "subsampling": 0},
        "AVIF": {"quality": 95},
    }.items():
        loss = LOSSLESS if file_format in lossless else LOSSY
        yield f"plain {file_format}", encoded(image, file_format, **options), image, loss
        if file_format != "BMP":
            for orientation, store in TURNS.items():
                exif = Image.Exif()
                exif[ORIENTATION] = orientation
                stored = Image.fromarray(np.ascontiguousarray(store(np.asarray(image))))
                yield (
                    f"{file_format} turned {orientation}",
                    encoded(stored, file_format, exif=exif, **options),
                    image,
                    loss,
                )
        if file_format not in ("BMP",):
            yield (
                f"{file_format} with a profile",
                encoded(image, file_format, icc_profile=icc_profile(), **options),
                image,
                loss,
            )
        yield f"{file_format} with bytes behind it", encoded(image, file_format, **options) + b"more" * 20, image, loss
    for mode, formats in MODES.items():
        wanted = image.convert("1").convert("RGB") if mode == "1" else grey_of(image) if mode[0] == "L" else image
        converted = image.quantize(16) if mode == "P" else image.convert(mode)
        for file_format in formats.split():
            options = {"lossless": True} if file_format == "WEBP" else {}
            yield f"{mode} {file_format}", encoded(converted, file_format, **options), wanted, LOSSLESS
    transparent = image.copy()
    transparent.putalpha(128)
    for file_format, options in {"PNG": {}, "WEBP": {"lossless": True, "exact": True}, "TIFF": {}}.items():
        yield f"half transparent {file_format}", encoded(transparent, file_format, **options), image, LOSSLESS
    yield (
        "palette with transparency",
        encoded(image.quantize(16), "PNG", transparency=bytes([0, 128] * 8)),
        image,
        LOSSLESS,
    )
    yield "transparent colour", encoded(image, "PNG", transparency=(200, 30, 30)), image, LOSSLESS
    for colour, wanted in ((0, grey_of(image)), (2, image), (4, grey_of(image)), (6, image)):
        yield f"16 bits of kind {colour}", deep_png(image, colour), wanted, LOSSLESS
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    yield "16 bits of grey, TIFF", encoded(deep, "TIFF"), grey_of(image), LOSSLESS
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
        source = image.convert("1") if compression == "group4" else image
        options = {"quality": 95} if compression == "jpeg" else {}
        yield (
            f"TIFF {compression}",
            encoded(source, "TIFF", compression=compression, **options),
            source.convert("RGB"),
            LOSSY if compression == "jpeg" else LOSSLESS,
        )
    yield (
        "TIFF of two pages",
        encoded(image, "TIFF", save_all=True, append_images=[noise(WIDTH, HEIGHT)]),
        image,
        LOSSLESS,
    )
    for file_format in ("GIF", "WEBP", "PNG", "AVIF"):
        yield f"animated {file_format}", animated(file_format), image, LOSSY
    for quality in (95, 75):
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                data = encoded(image, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
                yield f"JPEG {quality} {subsampling} {'progressive' if progressive else 'baseline'}", data, image, LOSSY
    yield "JPEG optimised", encoded(image, "JPEG", optimize=True), image, LOSSY
    yield "JPEG with restarts", encoded(image, "JPEG", restart_marker_rows=1), image, LOSSY
    yield "grey JPEG", encoded(image.convert("L"), "JPEG"), grey_of(image), LOSSLESS
    yield "JPEG that keeps RGB", encoded(image, "JPEG", keep_rgb=True), image, LOSSLESS
    yield "JPEG that says YCbCr by Adobe's marker", with_marker(encoded(image, "JPEG"), adobe(1)), image, LOSSY
    yield "JPEG with a comment", encoded(image, "JPEG", comment=b"\xff\xd8 not an image" * 100), image, LOSSY
    yield "JPEG with a thumbnail before it", with_marker(encoded(image, "JPEG"), thumbnail()), image, LOSSY
    yield (
        "JPEG of several pictures (MPO)",
        encoded(image, "MPO", save_all=True, append_images=[noise(WIDTH, HEIGHT)]),
        image,
        LOSSY,
    )
    yield "CMYK JPEG", encoded(image.convert("CMYK"), "JPEG"), image, LOSSY
    yield "CMYK TIFF", encoded(image.convert("CMYK"), "TIFF"), image, LOSSLESS
    yield "JPEG with fill bytes", with_marker(encoded(image, "JPEG"), b"\xff\xff\xff\xfe\x00\x04hi"), image, LOSSY


def thumbnail() -> bytes:
    """An APP1 segment with a whole JPEG of another size inside it."""
    inner = encoded(noise(16, 16), "JPEG", quality=20)
    payload = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x0201, 4, 1, 26) + bytes(4) + inner
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def bad_ones() -> Iterator[tuple[str, bytes, str]]:
    """(name, file, what its error says)."""
    formats = {"JPEG": {}, "PNG": {}, "WEBP": {}, "GIF": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "AVIF": {}}
    for file_format, options in formats.items():
        whole = encoded(noise(WIDTH, HEIGHT), file_format, **options)
        for share in (0.3, 0.6, 0.9):
            yield f"{file_format} of which {share:.0%} is left", whole[: int(len(whole) * share)], ""
        yield f"{file_format} of 30 bytes", whole[:30], ""
        yield f"{file_format} with a hole", whole[:40] + bytes(len(whole) - 40), ""
    for name, data in {
        "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        "PDF": b"%PDF-1.7\n" + bytes(100),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "zip": b"PK\x03\x04" + bytes(100),
        "MP4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(100),
        "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
        "pickle": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94.",
        "PPM": b"P6\n2 2\n255\n" + bytes(12),
        "PSD": b"8BPS\0\x01" + bytes(100),
        "ICO": encoded(noise(16, 16), "ICO"),
        "zeros": bytes(1000),
        "text": b"no image" * 100,
    }.items():
        yield name, data, "is not an image that can be read (JPEG"
    yield "nothing", b"", "is empty"
    yield "one byte", b"\xff", "is not an image"
    yield (
        "32 bits of grey",
        encoded(Image.fromarray(np.full((9, 9), 70_000, np.int32)), "TIFF"),
        "has 32-bit pixels",
    )
    yield (
        "floating-point grey",
        encoded(Image.fromarray(np.full((9, 9), 0.5, np.float32)), "TIFF"),
        "has 32-bit pixels",
    )
    for width, height in ((100_000, 100_000), (2**31 - 1, 1), (20_000, 10_001)):
        yield f"bomb {width}x{height}", png_that_claims(width, height), "pixels are over the limit of 200000000"
    yield "a JPEG that claims 65535x65535", claims_65535(), "65535x65535 pixels are over the limit"


def claims_65535() -> bytes:
    data = bytearray(encoded(noise(16, 16), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = b"\xff" * 4
    return bytes(data)


RIGHT, BAD = list(right_ones()), list(bad_ones())


def test_the_corpus_is_large_enough() -> None:
    assert len(RIGHT) + len(BAD) >= 150
    assert len({name for name, *_ in RIGHT}) == len(RIGHT)


@pytest.mark.parametrize("way", PIXEL_WAYS)
@pytest.mark.parametrize(("data", "image", "loss"), [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT])
def test_it_is_the_right_picture(data: bytes, image: Image.Image, loss: int, way: PixelWay) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of profiles and palettes; the command silences them too
        found = load_pixels(data, SHOWN, way=way, exif_orientation=True)
    wanted = load_pixels(image, SHOWN, way=way)
    assert np.abs(found.astype(int) - wanted).mean() <= loss


@pytest.mark.parametrize("way", PIXEL_WAYS)
@pytest.mark.parametrize(("data", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_it_is_one_clear_error(data: bytes, message: str, way: PixelWay, request: pytest.FixtureRequest) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "with a hole" in request.node.name or "90% is left" in request.node.name:  # some formats do not notice
            with contextlib.suppress(ImageError):
                assert load_pixels(data, SHOWN, way=way).shape == (32, 32, 3)
            return
        with pytest.raises(ImageError) as error:
            load_pixels(data, SHOWN, way=way)
    assert str(error.value).startswith("image: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 500), (500, 1), (3, 3), (5000, 10), (10, 5000)], ids=str)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_tiny_and_long_ones(size: tuple[int, int], file_format: str) -> None:
    data = encoded(smooth(*size), file_format)
    exact = load_pixels(data, SHOWN, way="exact")
    assert np.abs(exact.astype(int) - load_pixels(data, SHOWN, way="fast")).mean() < 0.1
    assert exact.mean() == pytest.approx(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).mean(), abs=25)


def test_heic_is_read_upright_with_its_extra() -> None:
    import pillow_heif

    for orientation in (1, 3, 6, 8):
        stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](np.asarray(corners()))))
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        file = io.BytesIO()
        heif = pillow_heif.from_pillow(stored)
        heif.save(file, quality=95, exif=exif.tobytes())
        found = load_pixels(file.getvalue(), SHOWN, way="fast", exif_orientation=True)
        assert np.abs(found.astype(int) - load_pixels(corners(), SHOWN, way="fast")).mean() < 6
        with pytest.raises(ImageError, match="pixels are over the limit of 100"):
            load_pixels(file.getvalue(), SHOWN, max_pixels=100)


def test_heic_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(
        ImageError, match=r"^image: reading HEIC needs an extra: pip install '\.\[heif\]' in a clone of regnety$"
    ):
        load_pixels(head, SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_twenty_five_megapixels_are_seen(file_format: str) -> None:
    """How long it takes is measured in benchmarks/pixels.py; here they are the right picture."""
    image = smooth(6250, 4000)
    data = encoded(image, file_format, **({"lossless": False, "method": 0} if file_format == "WEBP" else {}))
    start = time.perf_counter()
    found = load_pixels(data, Preprocessing(), way="fast")
    print(f"{file_format}: {time.perf_counter() - start:.2f} s")
    wanted = load_pixels(image, Preprocessing(), way="exact")
    assert np.abs(found.astype(int) - wanted).mean() < 6
