"""The markers of a JPEG, and its pixels: Pillow is the reference."""

import io
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, smooth
from regnety.images import jpeg
from regnety.images.jpeg import JpegHeader, decode_jpeg, read_jpeg_header

ORIENTATION = 0x0112


def exif(orientation: int, *, order: str = "<", kind: int = 3) -> bytes:
    """EXIF with another entry before the orientation."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    value = struct.pack(f"{order}HH" if kind == 3 else f"{order}I", *([orientation, 0] if kind == 3 else [orientation]))
    entries = struct.pack(f"{order}HHII", 0x0100, 4, 1, 640) + struct.pack(f"{order}HHI", ORIENTATION, kind, 1) + value
    return b"Exif\0\0" + head + struct.pack(f"{order}H", 2) + entries + bytes(4)


def xmp(text: str) -> bytes:
    return b"http://ns.adobe.com/xap/1.0/\0" + text.encode()


def with_segment(data: bytes, payload: bytes) -> bytes:
    """A JPEG with one more APP1 segment, right behind its start."""
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + data[2:]


PLAIN = encoded(smooth(40, 24), "JPEG")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_size_and_components(mode: str, progressive: bool) -> None:
    data = encoded(smooth(40, 24).convert(mode), "JPEG", progressive=progressive)
    assert read_jpeg_header(data) == JpegHeader(40, 24, len(Image.new(mode, (1, 1)).getbands()), 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif(orientation: int, kind: int, order: str) -> None:
    data = with_segment(PLAIN, exif(orientation, order=order, kind=kind))
    header = read_jpeg_header(data)
    assert header is not None
    assert header.orientation == orientation == Image.open(io.BytesIO(data)).getexif()[ORIENTATION]


@pytest.mark.parametrize(
    ("payload", "orientation"),
    [
        (exif(0), 1),
        (exif(9), 1),
        (exif(65535), 1),
        (b"Exif\0\0", 1),
        (b"Exif\0\0XX*\0\x08\0\0\0", 1),
        (exif(6)[:-12], 1),
        (exif(6)[:20], 1),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", 1),
        (xmp('<x tiff:Orientation="6"/>'), 6),
        (xmp("<tiff:Orientation>8</tiff:Orientation>"), 8),
        (xmp("<tiff:Orientation>0</tiff:Orientation>"), 1),
        (b"", 1),
    ],
)
def test_what_is_odd_about_orientation(payload: bytes, orientation: int) -> None:
    header = read_jpeg_header(with_segment(PLAIN, payload))
    assert header is not None
    assert header.orientation == orientation


def test_exif_comes_before_xmp() -> None:
    data = with_segment(with_segment(PLAIN, exif(3)), xmp('tiff:Orientation="6"'))
    assert read_jpeg_header(data) == JpegHeader(40, 24, 3, 3)


@pytest.mark.parametrize("end", [0, 2, 3, 5, 21, 100, 160])
def test_markers_that_lead_nowhere(end: int) -> None:
    assert read_jpeg_header(PLAIN[:end]) is None


def test_no_bytes_make_it_fail() -> None:
    generator = np.random.default_rng(3)
    whole = with_segment(PLAIN, exif(6))
    for _ in range(2000):
        data = bytearray(whole)
        for place in generator.integers(2, 120, 3):
            data[place] = generator.integers(256)
        header = read_jpeg_header(bytes(data))
        assert header is None or 1 <= header.orientation <= 8


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(40, 24), (37, 53), (1, 1), (17, 8)], ids=str)
def test_the_pixels_are_pillows(size: tuple[int, int], progressive: bool, subsampling: int) -> None:
    for image in (noise(*size), smooth(*size)):
        data = encoded(image, "JPEG", quality=85, subsampling=subsampling, progressive=progressive)
        np.testing.assert_array_equal(decode_jpeg(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_grey_becomes_three_equal_channels() -> None:
    data = encoded(noise(40, 24).convert("L"), "JPEG")
    np.testing.assert_array_equal(decode_jpeg(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("damaged", [PLAIN[:-200], PLAIN[:300], b"", b"text"], ids=len)
def test_damage_is_left_for_pillow(damaged: bytes) -> None:
    assert decode_jpeg(damaged) is None


def test_memory_is_used_again_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(width: int, height: int, **options: tuple[int, int]) -> np.ndarray:
        pixels = decode_jpeg(encoded(noise(width, height), "JPEG"), **options)  # type: ignore[arg-type]
        assert pixels is not None
        return pixels

    monkeypatch.setattr(jpeg, "_per_thread", threading.local())
    first, own = decoded(40, 24, reused_for=(40, 24)), decoded(40, 24)
    kept = first.copy()
    assert np.shares_memory(first, decoded(20, 30, reused_for=(20, 30)))
    assert not np.array_equal(first, kept)
    np.testing.assert_array_equal(own, kept)
    assert not np.shares_memory(first, decoded(80, 60, reused_for=(80, 60)))  # there was not enough of it
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(decoded, 80, 60, reused_for=(80, 60)).result()
    assert not np.shares_memory(other, decoded(80, 60, reused_for=(80, 60)))
    monkeypatch.setattr(jpeg, "LARGEST_BUFFER", 3 * 80 * 60 - 1)
    assert not np.shares_memory(decoded(80, 60, reused_for=(80, 60)), decoded(80, 60, reused_for=(80, 60)))


def test_a_header_that_says_less_is_left_for_pillow() -> None:
    """Two frames, the first of which is smaller: nothing is written beyond the memory."""
    assert decode_jpeg(encoded(noise(4000, 3000), "JPEG"), reused_for=(8, 8)) is None
