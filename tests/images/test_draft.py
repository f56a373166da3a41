"""Drafts: large JPEGs decoded to a part of their size, cut where the whole would be."""

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, photograph, smooth
from regnety.images import pixels as module
from regnety.images.jpeg import decode_jpeg
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

SHOWN = Preprocessing(image_size=48, crop_pct=0.75)
"""Resized to 64, so that a draft has at least 128 pixels along each side."""


def difference(data: bytes, preprocessing: Preprocessing = SHOWN) -> np.ndarray:
    draft = load_pixels(data, preprocessing, way="draft")
    assert draft.shape == (preprocessing.image_size, preprocessing.image_size, 3)
    return np.abs(draft.astype(int) - load_pixels(data, preprocessing, way="fast"))


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((1200, 1024), (150, 128)),  # an eighth
        ((1200, 1023), (150, 128)),  # rounded up
        ((1200, 1016), (300, 254)),  # an eighth would have 127 pixels: a quarter
        ((700, 512), (175, 128)),
        ((500, 400), (188, 150)),  # three eighths
        ((300, 256), (150, 128)),
        ((300, 254), (300, 254)),  # a half would be too small: the whole
        ((60, 40), (60, 40)),
    ],
)
def test_how_much_is_decoded(size: tuple[int, int], decoded: tuple[int, int]) -> None:
    pixels = decode_jpeg(encoded(smooth(*size), "JPEG"), smallest_side=128)
    assert pixels is not None
    assert pixels.shape[1::-1] == decoded


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1201, 1023), (1023, 1201), (640, 515), (517, 2000), (3001, 519)], ids=str)
def test_the_crop_is_where_the_whole_one_is(size: tuple[int, int], orientation: int) -> None:
    """Gradients tell a crop that is shifted by a pixel of the result: by 255 / 64 levels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = difference(encoded(smooth(*size), "JPEG", exif=exif))
    assert found.mean() < 0.6
    assert found.max() <= 3


def test_photographs_are_about_a_level_off_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < difference(encoded(photograph(1600, 1200), "JPEG")).mean() < 1.5
    assert difference(encoded(photograph(300, 200), "JPEG")).max() == 0  # too small for a draft
    assert difference(encoded(noise(1, 3000), "JPEG")).max() == 0  # so is this, though simplejpeg has one
    assert difference(encoded(photograph(1600, 1200), "PNG")).max() == 0
    image = photograph(1600, 1200)
    np.testing.assert_array_equal(load_pixels(image, SHOWN, way="draft"), load_pixels(image, SHOWN, way="fast"))
    monkeypatch.setattr(module, "DRAFT_SPARE", 100)
    assert difference(encoded(photograph(1600, 1200), "JPEG")).max() == 0


def test_grey_ones_too() -> None:
    assert difference(encoded(noise(1200, 1030).convert("L"), "JPEG")).mean() < 6
