"""Copies of a photograph are found, and other photographs of the same things are not."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pictures import encoded, photograph
from regnety.datasets.checking.near_duplicates import near_duplicates
from regnety.images.thumbnails import thumbnail

COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "saved again": lambda image: encoded(image, "JPEG", quality=30),
    "another format": lambda image: encoded(image, "WEBP"),
    "a third of the size": lambda image: encoded(image.resize((image.width // 3, image.height // 3))),
    "cropped": lambda image: encoded(image.crop((9, 4, image.width - 4, image.height - 8)), "JPEG"),
    "darker": lambda image: encoded(image.point(lambda level: int(level * 0.85))),
    "grey": lambda image: encoded(image.convert("L"), "JPEG"),
}


def grey(data: bytes, tmp_path: Path) -> np.ndarray:
    (tmp_path / "it").write_bytes(data)
    return thumbnail(tmp_path / "it").grey


def hand(*, seed: int) -> Image.Image:
    """One object on one background, in another place, turned and lit otherwise in each picture."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (200, 160), (205, 200, 195))
    draw = ImageDraw.Draw(image)
    x, y = random.uniform(85, 115), random.uniform(70, 90)
    draw.ellipse((x - 40, y - 30, x + 40, y + 45), fill=(170, 120, 100))
    for finger in range(5):
        angle = -2.6 + finger * 0.5 + random.uniform(-0.25, 0.25)
        end = (x + np.cos(angle) * random.uniform(55, 75), y + np.sin(angle) * random.uniform(50, 70))
        draw.line((x, y, *end), fill=(165 + finger * 5, 115, 95), width=13)
    pixels = np.asarray(image, np.int16) + random.integers(-4, 5, (160, 200, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_others(how: str, tmp_path: Path) -> None:
    images = [photograph(240, 180, seed=seed) for seed in range(12)]
    greys = [grey(encoded(image), tmp_path) for image in images]
    greys += [grey(COPIES[how](image), tmp_path) for image in images[:6]]
    groups = near_duplicates(np.stack(greys))
    assert [group.tolist() for group in groups] == [[place, 12 + place] for place in range(6)]


def test_photographs_of_one_thing_are_not_copies(tmp_path: Path) -> None:
    assert near_duplicates(np.stack([grey(encoded(hand(seed=seed)), tmp_path) for seed in range(60)])) == []


def test_a_series_is_joined_through_its_neighbours(tmp_path: Path) -> None:
    wide = photograph(360, 180, seed=3)
    frames = [wide.crop((step, 0, step + 240, 180)) for step in range(0, 60, 3)]
    others = [photograph(240, 180, seed=seed) for seed in range(50, 60)]
    greys = np.stack([grey(encoded(frame), tmp_path) for frame in (*frames, *others)])
    assert [group.tolist() for group in near_duplicates(greys)] == [list(range(len(frames)))]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures(count: int) -> None:
    greys = np.random.default_rng(0).integers(0, 256, (count, 64, 64), np.uint8)
    assert near_duplicates(greys) == []


def test_a_copy_lies_upright_whatever_its_orientation_tag(tmp_path: Path) -> None:
    image = photograph(240, 180, seed=1)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    turned = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", exif=exif, quality=95)
    greys = np.stack([grey(encoded(image), tmp_path), grey(turned.getvalue(), tmp_path)])
    assert len(near_duplicates(greys)) == 1
