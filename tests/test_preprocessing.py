"""The geometry of resize and crop against torchvision's and timm's formulas, written down again here."""

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs import examples
from regnety.errors import WeightsError
from regnety.preprocessing import IMAGENET_MEAN, Preprocessing, preprocessing_from_dict

sides = st.integers(1, 5000)
preprocessings = st.builds(
    Preprocessing,
    image_size=st.integers(1, 600),
    crop_pct=st.one_of(st.sampled_from([0.875, 0.95, 1.0, 224 / 256]), st.floats(0.05, 1)),
)


def resized_by_timm(width: int, height: int, image_size: int, crop_pct: float) -> tuple[int, int]:
    """timm `transforms_imagenet_eval`: `Resize(floor(img_size / crop_pct))`, torchvision's for one number."""
    requested = math.floor(image_size / crop_pct)
    short, long = (width, height) if width <= height else (height, width)
    new_short, new_long = requested, int(requested * long / short)
    return (new_short, new_long) if width <= height else (new_long, new_short)


def cropped_by_torchvision(width: int, height: int, image_size: int) -> tuple[int, int]:
    """torchvision `functional.center_crop`: (left, top)."""
    return round((width - image_size) / 2.0), round((height - image_size) / 2.0)


@examples(500)
@given(preprocessings, sides, sides)
def test_geometry_is_timms(preprocessing: Preprocessing, width: int, height: int) -> None:
    side = preprocessing.image_size
    resized = resized_by_timm(width, height, side, preprocessing.crop_pct)
    corner = cropped_by_torchvision(*resized, side)
    assert preprocessing.resized_size(width, height) == resized
    assert preprocessing.crop_corner(*resized) == corner
    assert min(corner) >= 0
    assert corner[0] + side <= resized[0]
    assert corner[1] + side <= resized[1]


@examples(500)
@given(preprocessings, sides, sides)
def test_the_box_in_the_source_is_the_crop(preprocessing: Preprocessing, width: int, height: int) -> None:
    box = np.array(preprocessing.source_box(width, height))
    resized = resized_by_timm(width, height, preprocessing.image_size, preprocessing.crop_pct)
    left, top = cropped_by_torchvision(*resized, preprocessing.image_size)
    scale = np.array([resized[0] / width, resized[1] / height] * 2)
    expected = [left, top, left + preprocessing.image_size, top + preprocessing.image_size]
    np.testing.assert_allclose(box * scale, expected, atol=1e-6)
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height


@pytest.mark.parametrize(
    ("image_size", "crop_pct", "width", "height", "resized", "corner"),
    [
        (224, 0.875, 500, 375, (341, 256), (58, 16)),  # 58.5 goes to the even 58
        (224, 0.875, 375, 500, (256, 341), (16, 58)),
        (224, 0.875, 256, 256, (256, 256), (16, 16)),
        (288, 1.0, 333, 500, (288, 432), (0, 72)),
        (224, 0.95, 640, 480, (313, 235), (44, 6)),  # 44.5 goes to 44, 5.5 to 6
        (32, 1.0, 32, 32, (32, 32), (0, 0)),
        (224, 0.875, 20000, 2, (2560000, 256), (1279888, 16)),
    ],
)
def test_geometry_of_known_sizes(
    image_size: int,
    crop_pct: float,
    width: int,
    height: int,
    resized: tuple[int, int],
    corner: tuple[int, int],
) -> None:
    preprocessing = Preprocessing(image_size=image_size, crop_pct=crop_pct)
    assert preprocessing.resized_size(width, height) == resized
    assert preprocessing.crop_corner(*resized) == corner


def test_the_published_default() -> None:
    assert Preprocessing() == Preprocessing(
        image_size=224, crop_pct=0.875, interpolation="bicubic", mean=IMAGENET_MEAN, exif_orientation=False
    )


@given(preprocessings)
def test_a_dictionary_brings_it_back(preprocessing: Preprocessing) -> None:
    assert preprocessing_from_dict(preprocessing.as_dict()) == preprocessing


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image_size", 0, "image_size must be a whole number from 1 to 8192 pixels, got 0"),
        ("image_size", 224.0, "image_size must be a whole number from 1 to 8192 pixels, got 224.0"),
        ("image_size", True, "image_size must be a whole number"),
        ("image_size", 8193, "image_size must be a whole number"),
        ("crop_pct", 0, "crop_pct must be a number from 0.01 to 1, got 0"),
        ("crop_pct", 1.01, "crop_pct must be a number from 0.01 to 1, got 1.01"),
        ("crop_pct", math.nan, "crop_pct must be a number from 0.01 to 1, got nan"),
        ("crop_pct", "0.9", "crop_pct must be a number from 0.01 to 1, got '0.9'"),
        ("interpolation", "cubic", "interpolation must be one of bicubic, bilinear, lanczos, nearest, got 'cubic'"),
        ("mean", (0.5, "x", 0.5), "mean must be a number for each channel"),
        ("mean", (), "mean must be a number for each channel"),
        ("mean", (0.5,), "std must be a positive number for each of 1 channels"),
        ("std", (0.2, 0.0, 0.2), "std must be a positive number for each of 3 channels"),
        ("std", None, "std must be a number for each channel"),
        ("exif_orientation", "no", "exif_orientation must be true or false"),
        ("size", 224, "preprocessing has no field 'size'; it has image_size, crop_pct"),
    ],
)
def test_what_is_not_allowed_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(WeightsError) as error:
        preprocessing_from_dict({**Preprocessing().as_dict(), field: value})
    assert str(error.value).startswith(message)


@examples(60)
@given(st.floats(0, 1, exclude_min=True), st.integers(1, 8192))
def test_whatever_is_allowed_has_a_size(crop_pct: float, image_size: int) -> None:
    """Down to the smallest positive float: a size, or one clear error."""
    with contextlib.suppress(WeightsError):
        assert Preprocessing(image_size=image_size, crop_pct=crop_pct).resize_size >= image_size


@pytest.mark.parametrize(("in_chans", "mean"), [(1, (0.1,)), (3, (0.1, 0.2, 0.3)), (4, (0.1, 0.2, 0.3, 0.1))])
def test_mean_and_std_are_repeated_for_other_channels(in_chans: int, mean: tuple[float, ...]) -> None:
    found = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.1, 0.2, 0.3), image_size=64).for_channels(in_chans)
    assert (found.mean, found.std, found.image_size) == (mean, mean, 64)
