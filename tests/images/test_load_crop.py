"""Parts of pictures for training, held to Pillow's own crop and resize."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from designs import examples
from pictures import encoded, noise, photograph, smooth
from regnety import ImageError
from regnety.images import pixels as module
from regnety.images.crop_resize import Box
from regnety.images.decoding import FILTERS, load_image
from regnety.images.pixels import load_crop

SHARES = (0.13, 0.2, 0.71, 0.95)
"""Left, top, right, bottom, of the sides."""


def shares(width: int, height: int) -> Box:
    left, top, right, bottom = SHARES
    return left * width, top * height, right * width, bottom * height


def differences(source: Any, side: int = 40, interpolation: str = "bicubic", **options: Any) -> np.ndarray:
    """From what Pillow makes of the upright picture, in grey levels."""
    options = {"exif_orientation": True, **options}
    found = load_crop(source, shares, side, interpolation=interpolation, **options)
    assert (found.shape, found.dtype) == ((side, side, 3), np.uint8)
    image = load_image(source, **options)
    wanted = image.resize((side, side), FILTERS[interpolation], box=shares(*image.size))
    return np.abs(found.astype(int) - np.asarray(wanted))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos"])
@pytest.mark.parametrize("size", [(90, 70), (70, 90), (41, 160), (160, 41), (1, 74), (74, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_the_part_is_pillows(file_format: str, size: tuple[int, int], interpolation: str) -> None:
    difference = differences(encoded(noise(*size), file_format), interpolation=interpolation)
    assert difference.mean() < 0.06
    assert difference.max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(90, 70), (33, 140)], ids=str)
def test_the_part_is_of_the_upright_picture(size: tuple[int, int], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(*size), "JPEG", exif=exif)
    for upright in (True, False):
        difference = differences(data, exif_orientation=upright)
        assert difference.mean() < 0.06
        assert difference.max() <= 2


def test_nearest_is_pillows_own() -> None:
    assert differences(noise(90, 70), interpolation="nearest").max() == 0


def test_every_source_gives_the_same_part() -> None:
    image = photograph(90, 70)
    first, *others = (
        load_crop(source, shares, 32, interpolation="bicubic", exif_orientation=True)
        for source in (image, np.asarray(image), encoded(image, "PNG"), encoded(image, "WEBP"))
    )
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_large_jpeg_is_decoded_no_further_than_the_part_needs(
    orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    sizes: list[tuple[int, ...]] = []
    resized = module.box_resize
    monkeypatch.setattr(module, "box_resize", lambda pixels, *rest, **options: (
        sizes.append(pixels.shape[1::-1]) or resized(pixels, *rest, **options)
    ))  # fmt: skip
    # The part has 0.58 of the width and 0.75 of the height.
    for size, decoded in (
        ((1600, 1200), (200, 150)),  # an eighth: the part has 116 x 112 of the 80 pixels that are needed
        ((1000, 800), (250, 200)),  # an eighth would leave 72 across
        ((200, 150), (200, 150)),  # a half would leave 58
    ):
        difference = differences(encoded(smooth(*size), "JPEG", exif=exif))
        assert difference.mean() < 0.6
        assert difference.max() <= 3
        assert sizes.pop() == decoded


@examples(200)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8]),
)
def test_any_part_can_be_taken(width: int, height: int, numbers: list[float], orientation: int) -> None:
    """Also one whose edges are those of the picture but for the last bit."""

    def box_of(wide: int, high: int) -> Box:
        across, down = max(numbers[0], 1e-3) * wide, max(numbers[1], 1e-3) * high
        left, top = numbers[2] * (wide - across), numbers[3] * (high - down)
        return left, top, min(left + across, wide), min(top + down, high)

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.new("RGB", (width, height), (7, 100, 200)), "PNG", exif=exif)
    found = load_crop(data, box_of, 8, interpolation="bicubic", exif_orientation=True)
    assert (found == (7, 100, 200)).all()


def test_what_cannot_be_decoded_is_named(tmp_path: Any) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(encoded(noise(64, 64), "JPEG")[:900])
    with pytest.raises(ImageError, match=r"half\.jpg"):
        load_crop(path, shares, 32, interpolation="bicubic", exif_orientation=True)
    with pytest.raises(ImageError, match="limit"):
        load_crop(noise(64, 64), shares, 32, interpolation="bicubic", exif_orientation=True, max_pixels=4000)
