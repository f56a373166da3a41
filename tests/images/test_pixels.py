"""From a picture to the array: equal to Pillow's own resize and crop."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import encoded, noise, smooth
from regnety.images import crop_resize, decoding
from regnety.images.decoding import to_pixels
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

SIZES = [(500, 375), (375, 500), (32, 32), (37, 37), (1, 1), (1, 90), (200, 3), (64, 48), (33, 470)]


def by_hand(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """torchvision's Resize and CenterCrop on a PIL image, as timm composes them."""
    side, width, height = preprocessing.image_size, image.width, image.height
    short = int(side / preprocessing.crop_pct)
    size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    filters = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR, "lanczos": Image.LANCZOS, "nearest": Image.NEAREST}
    resized = np.asarray(image.resize(size, filters[preprocessing.interpolation]))
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return resized[top : top + side, left : left + side]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(image_size=64),
        Preprocessing(image_size=32, crop_pct=1.0),
        Preprocessing(image_size=33, crop_pct=0.9, interpolation="bilinear"),
        Preprocessing(image_size=48, crop_pct=0.7, interpolation="lanczos"),
        Preprocessing(image_size=48, interpolation="nearest"),
    ],
    ids=lambda p: f"{p.image_size}-{p.crop_pct:g}-{p.interpolation}",
)
def test_to_pixels_is_pillows_resize_and_crop(size: tuple[int, int], preprocessing: Preprocessing) -> None:
    found = to_pixels(noise(*size), preprocessing)
    assert found.dtype == np.uint8
    assert found.shape == (preprocessing.image_size, preprocessing.image_size, 3)
    np.testing.assert_array_equal(found, by_hand(noise(*size), preprocessing))


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (2000, 40), (80, 80)], ids=str)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos"])
def test_the_crop_alone_is_close_to_the_full_way(
    size: tuple[int, int], interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocessing = Preprocessing(image_size=64, interpolation=interpolation)
    for image, bound in ((noise(*size), 0.25), (smooth(*size), 0.25)):
        full = to_pixels(image, preprocessing).astype(int)
        with monkeypatch.context() as patch:
            patch.setattr(decoding, "LARGEST_RESIZED", 0)
            crop = to_pixels(image, preprocessing).astype(int)
        assert np.abs(full - crop).mean() < bound


@pytest.mark.parametrize("size", [(500, 375), (375, 900), (2000, 40), (1, 90), (64, 64)], ids=str)
@pytest.mark.parametrize("strip_bytes", [1, 1000, 40_000])
def test_in_strips_or_as_a_whole_it_is_the_same(
    size: tuple[int, int], strip_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocessing = Preprocessing(image_size=64)
    whole = crop_resize.crop_resize(np.asarray(noise(*size)), preprocessing)
    monkeypatch.setattr(crop_resize, "STRIP_BYTES", strip_bytes)
    np.testing.assert_array_equal(crop_resize.crop_resize(np.asarray(noise(*size)), preprocessing), whole)


def test_pixels_outlive_the_next_picture() -> None:
    """All JPEGs of a thread are decoded into the same memory."""
    pictures = [encoded(noise(60, 40, seed=seed), "JPEG") for seed in range(3)]
    apart = [load_pixels(data, Preprocessing(image_size=32, crop_pct=1.0), way="fast").copy() for data in pictures]
    together = [load_pixels(data, Preprocessing(image_size=32, crop_pct=1.0), way="fast") for data in pictures]
    for one, other in zip(apart, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({pixels.tobytes() for pixels in together}) == 3


@pytest.mark.parametrize("size", [(20_000, 2), (2, 20_000), (30_000, 1)], ids=str)
def test_only_the_crop_of_a_very_long_picture_is_computed(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm's way takes 19 s and 2.6 GiB for the first."""
    computed: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def recorded(self: Image.Image, size: tuple[int, int], *arguments: Any, **options: Any) -> Image.Image:
        computed.append(size)
        return resize(self, size, *arguments, **options)

    monkeypatch.setattr(Image.Image, "resize", recorded)
    found = to_pixels(smooth(*size), Preprocessing())
    assert computed == [(224, 224)]
    assert found[112, 112].mean() == pytest.approx(np.asarray(smooth(*size)).mean(), abs=3)


@pytest.mark.parametrize(("exif_orientation", "turned"), [(None, True), (True, True), (False, False)])
def test_orientation_follows_the_model_unless_told(exif_orientation: bool | None, turned: bool) -> None:
    preprocessing = Preprocessing(image_size=32, crop_pct=1.0, exif_orientation=True)
    upright, exif = smooth(32, 32), Image.Exif()
    exif[0x0112] = 3  # half a turn
    data = encoded(upright.transpose(Image.Transpose.ROTATE_180), "PNG", exif=exif)
    expected = upright if turned else upright.transpose(Image.Transpose.ROTATE_180)
    found = load_pixels(data, preprocessing, exif_orientation=exif_orientation)
    np.testing.assert_array_equal(found, np.asarray(expected))
