"""The fast way to pixels, held to the exact one: DESIGN's bounds are 0.25 levels in the mean and 99.9 % within 2."""

import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, photograph
from regnety.images import crop_resize as module
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

PUBLISHED = [(224, 0.875), (224, 0.95), (224, 0.965), (288, 1.0), (384, 1.0)]
"""Size and crop of the 61 published weights, all bicubic."""
SIZES = [(500, 375), (375, 500), (640, 480), (1, 1), (3, 5), (37, 91), (200, 10), (10, 200), (1001, 50), (90, 1300)]


def differences(source: Any, preprocessing: Preprocessing, **options: Any) -> np.ndarray:
    exact = load_pixels(source, preprocessing, way="exact", **options)
    fast = load_pixels(source, preprocessing, way="fast", **options)
    assert fast.shape == exact.shape == (preprocessing.image_size, preprocessing.image_size, 3)
    assert fast.dtype == np.uint8
    return np.abs(exact.astype(int) - fast)


def check_bounds(difference: np.ndarray) -> None:
    """Ten times closer than the design asks for."""
    assert difference.mean() < 0.025
    assert (difference <= 2).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("image_size", "crop_pct"), PUBLISHED)
@pytest.mark.parametrize("kind", ["photograph", "noise"])
def test_it_is_the_exact_way_but_for_rounding(
    kind: str, image_size: int, crop_pct: float, size: tuple[int, int]
) -> None:
    image = {"photograph": photograph, "noise": noise}[kind](*size)
    check_bounds(differences(image, Preprocessing(image_size=image_size, crop_pct=crop_pct)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(120, 80), (90, 40), (40, 90), (17, 17), (300, 99)], ids=str)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos"])
def test_the_turn_is_made_after_the_resize(orientation: int, size: tuple[int, int], interpolation: str) -> None:
    """Odd sizes and crops, whose middle is not the middle of the picture that lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(*size), "JPEG", exif=exif)
    for side, crop_pct in ((33, 0.7), (32, 0.875), (50, 1.0)):
        preprocessing = Preprocessing(image_size=side, crop_pct=crop_pct, interpolation=interpolation)
        for upright in (True, False):
            difference = differences(data, preprocessing, exif_orientation=upright)
            assert difference.mean() < 0.06  # fewer pixels, more ties
            assert (difference <= 2).all()


def test_nearest_has_one_way_only() -> None:
    preprocessing = Preprocessing(image_size=40, interpolation="nearest")
    assert differences(noise(120, 90), preprocessing).max() == 0


@pytest.mark.parametrize("size", [(500, 375), (37, 91), (3, 5), (1000, 50)], ids=str)
def test_where_the_resizer_has_no_wheel_pillow_computes_the_crop(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    difference = differences(noise(*size), Preprocessing(image_size=64))
    assert difference.mean() < 0.25
    assert (difference > 2).mean() < 0.001


def test_only_what_the_filter_touches_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[tuple[int, ...]] = []
    resized = module._resized
    monkeypatch.setattr(module, "_resized", lambda part, *rest: parts.append(part.shape) or resized(part, *rest))
    load_pixels(noise(4000, 100), Preprocessing(image_size=64), way="fast")
    assert parts == [(96, 96, 3)]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_every_format_is_decoded_alike(file_format: str) -> None:
    check_bounds(differences(encoded(photograph(320, 240), file_format), Preprocessing(image_size=96)))
