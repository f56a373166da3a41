"""Bytes to an RGB picture, or one clear error that names the file."""

import contextlib
import errno
import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import FORMATS, encoded, noise, png_that_claims, smooth
from regnety.errors import ImageError
from regnety.images import sources
from regnety.images.decoding import load_image

ORIENTATION = 0x0112
STORED_AS: dict[int, tuple[Image.Transpose, ...]] = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""How a camera stores an upright picture under each EXIF orientation: the inverse of what a viewer does."""


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("as_source", ["path", "text", "bytes", "pil", "array"])
def test_every_kind_of_source_gives_the_same_picture(file_format: str, as_source: str, tmp_path: Path) -> None:
    data = encoded(smooth(40, 30), file_format)
    path = tmp_path / "no suffix is needed"
    path.write_bytes(data)
    decoded = Image.open(path).convert("RGB")
    source = {"path": path, "text": str(path), "bytes": data, "pil": decoded, "array": np.asarray(decoded)}[as_source]
    image = load_image(source)
    assert (image.mode, image.size) == ("RGB", (40, 30))
    np.testing.assert_array_equal(image, decoded)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(smooth(40, 30))).max() <= (file_format == "JPEG") * 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.new("RGB", (8, 6), (128, 128, 128)).convert(mode)
    found = np.asarray(load_image(encoded(grey, "JPEG" if mode == "CMYK" else "PNG")))
    assert found.shape == (6, 8, 3)
    assert found.mean() == pytest.approx(128, abs=128 if mode == "1" else 5)


def test_sixteen_bits_of_grey_stay_grey() -> None:
    grey = Image.fromarray(np.full((6, 8), 128 * 257, np.uint16))
    assert np.asarray(load_image(encoded(grey))).mean() == pytest.approx(128, abs=2)


def test_a_palette_with_transparency_warns_nobody() -> None:
    image = Image.new("P", (8, 6), 3)
    image.putpalette([200, 100, 50] * 256)
    found = np.asarray(load_image(encoded(image, transparency=bytes(256))))
    np.testing.assert_array_equal(found, np.broadcast_to([200, 100, 50], (6, 8, 3)))


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("file_format", FORMATS)
def test_all_eight_orientations_are_turned_upright(orientation: int, file_format: str) -> None:
    upright, stored, exif = smooth(40, 24), smooth(40, 24), Image.Exif()
    for transpose in STORED_AS[orientation]:
        stored = stored.transpose(transpose)
    exif[ORIENTATION] = orientation
    data = encoded(stored, file_format, exif=exif)
    for image, expected in ((load_image(data), upright), (load_image(data, exif_orientation=False), stored)):
        assert image.size == expected.size
        assert np.abs(np.asarray(image).astype(int) - np.asarray(expected)).max() <= 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_damaged_exif_does_not_hide_the_picture() -> None:
    data = encoded(smooth(40, 24), "JPEG", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff\x01\x12")
    assert load_image(data).size == (40, 24)


def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(100_000, 100_000))
    tracemalloc.start()
    with pytest.raises(ImageError) as error:
        load_image(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(error.value) == f"{path}: 100000x100000 pixels are over the limit of 200000000 (max_pixels)"
    assert peak_bytes < 10_000_000


def test_between_pillows_limit_and_ours_is_fine() -> None:
    """Pillow warns above 89 million pixels; a warning would fail this test."""
    data = encoded(Image.new("1", (9_500, 9_500), 1))
    with pytest.raises(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))
    assert load_image(data).size == (9_500, 9_500)


@pytest.mark.parametrize("source", [png_that_claims(100_000, 100_000), b"text", encoded(noise(4, 4))])
def test_pillows_own_limit_is_left_alone(source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12_345)
    with contextlib.suppress(ImageError):
        load_image(source)
    assert Image.MAX_IMAGE_PIXELS == 12_345


@pytest.mark.parametrize(("max_pixels", "refused"), [(1199, True), (1200, False)])
@pytest.mark.parametrize("as_source", [encoded, lambda image: image], ids=["bytes", "pil"])
def test_the_limit_can_be_moved(max_pixels: int, refused: bool, as_source: Callable[[Image.Image], Any]) -> None:
    source = as_source(noise(40, 30))
    if refused:
        with pytest.raises(ImageError, match=r"^image: 40x30 pixels are over the limit of 1199 \(max_pixels\)$"):
            load_image(source, max_pixels=max_pixels)
    else:
        assert load_image(source, max_pixels=max_pixels).size == (40, 30)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.jpg", b"", "is empty"),
        (
            "notes.png",
            b"these are notes\n" * 9,
            "is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)",
        ),
        ("short.jpg", encoded(noise(64, 64), "JPEG")[:-900], "cannot be decoded: "),
        ("short.png", encoded(noise(64, 64), "PNG")[:-900], "cannot be decoded: "),
        ("short.webp", encoded(noise(64, 64), "WEBP")[:-900], "cannot be "),
        ("header.jpg", encoded(noise(64, 64), "JPEG")[:20], "is not a JPEG image that can be read; it is damaged"),
        ("header.png", encoded(noise(64, 64), "PNG")[:20], ""),
        ("zero.png", png_that_claims(0, 10), "is not a PNG image that can be read; it is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_what_is_no_whole_picture_is_named(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for source, begin in ((path, f"{path}: "), (str(path), f"{path}: "), (data, "image: ")):
        with pytest.raises(ImageError) as error:
            load_image(source)
        assert str(error.value).startswith(begin + message)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.jpg", "no such file"), ("", "is a folder, not an image"), ("a\0b", "cannot be read")],
)
def test_what_cannot_be_read_is_named(name: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(ImageError) as error:
        load_image(path)
    assert str(error.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype}-{pixels.shape}",
)
def test_arrays_of_another_kind_are_refused(pixels: Any) -> None:
    with pytest.raises(ImageError) as error:
        load_image(pixels)
    assert str(error.value) == (
        f"image: an array must be uint8 [height, width, 3] in RGB, got {pixels.dtype} {pixels.shape}"
    )


def test_arrays_need_not_be_contiguous() -> None:
    pixels = np.asarray(noise(20, 10))[::-1, ::2]
    np.testing.assert_array_equal(load_image(pixels), pixels)


def test_a_source_is_not_changed() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image = Image.open(io.BytesIO(encoded(noise(20, 10), "PNG", exif=exif)))
    assert load_image(image).size == (10, 20)
    assert image.size == (20, 10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file_format", FORMATS)
def test_mutated_files_are_a_picture_or_an_error(file_format: str) -> None:
    """A hundred of each: bytes changed, cut out, repeated."""
    generator = np.random.default_rng(7)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    whole = encoded(noise(24, 16), file_format, exif=exif)
    pictures, errors = [], []
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(generator.integers(1, 5)):
            start, length = generator.integers(0, len(data)), generator.integers(1, 9)
            kind = generator.integers(3)
            if kind == 0:
                data[start : start + length] = generator.bytes(length)
            elif kind == 1:
                del data[start : start + length]
            else:
                data[start:start] = data[start : start + length]
        try:
            pictures.append(load_image(bytes(data), max_pixels=1_000_000))
        except ImageError as error:
            errors.append(str(error))
    assert len(pictures) + len(errors) == 100
    assert len(errors) > 5
    assert {picture.mode for picture in pictures} <= {"RGB"}
    assert all(error.startswith("image: ") and "\n" not in error for error in errors)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    with pytest.raises(ImageError) as error:
        load_image(path)
    assert str(error.value) == f"{path}: is a device or a pipe, not an image file"


@pytest.mark.parametrize(("failures", "reads"), [(2, 3), (3, 3)])
def test_an_error_of_a_network_disk_that_passes_is_waited_for(
    failures: int, reads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(smooth(20, 10), "PNG"))
    asked: list[Path] = []

    def shaky(place: Path) -> Any:
        asked.append(place)
        if len(asked) <= failures:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(place))
        return place.open("rb")

    monkeypatch.setattr(sources, "open_file", shaky)
    monkeypatch.setattr(sources, "PAUSES_S", (0.0, 0.0))
    if failures < 3:
        assert load_image(path).size == (20, 10)
    else:
        with pytest.raises(ImageError, match=r"picture\.png: cannot be read: Stale file handle"):
            load_image(path)
    assert len(asked) == reads
