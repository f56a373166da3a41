"""`create_transform(is_training=True)`: timm's distribution, and the same numbers from the same generator."""

import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageOps

from pictures import encoded, photograph
from regnety import create_transform
from regnety.images.random_changes import RandomChanges, blurred, crop_box, jittered
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD

PICTURE = photograph(90, 60, seed=1)
SIDE = 24
CONFIG = {
    "input_size": (3, SIDE, SIDE),
    "interpolation": "bicubic",
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "crop_pct": 0.875,
    "crop_mode": "center",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "default": {},
    "crop and flip": {"color_jitter": None},
    "all flips": {"hflip": 0.2, "vflip": 0.7, "color_jitter": 0},
    "narrow": {"scale": (0.5, 0.6), "ratio": (1.0, 1.1), "interpolation": "random"},
    "hue": {"color_jitter": (0.1, 0.6, 0.3, 0.2), "color_jitter_prob": 0.6, "hflip": 0},
    "grey and blurred": {"grayscale_prob": 0.4, "gaussian_blur_prob": 0.5, "color_jitter": None},
    "erased": {"re_prob": 0.6, "re_count": 3, "color_jitter": None},
    "erased with a colour": {"re_prob": 0.5, "re_mode": "rand", "color_jitter": None},
    "erased with noise": {"re_prob": 0.5, "re_mode": "pixel", "color_jitter": None},
    "RandAugment": {"auto_augment": "rand-m9-mstd0.5-inc1"},
    "RandAugment, uniform and more": {"auto_augment": "rand-m7-n3-p0.8-mstd101-mmax12", "interpolation": "random"},
    "RandAugment, weighted": {"auto_augment": "rand-m8-tweights"},
    "RandAugment, three": {"auto_augment": "rand-m9-inc1-t3a-p1.0", "color_jitter": 0.2},
    "AutoAugment": {"auto_augment": "original-mstd0.5"},
    "AutoAugment of the TPU code": {"auto_augment": "v0"},
    "3-Augment": {"auto_augment": "3a", "color_jitter": 0.3},
    "AugMix": {"auto_augment": "augmix-m5-w4-d2"},
    "AugMix, blended": {"auto_augment": "augmix-m8-b1-mstd1"},
}


def apart(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Largest distance of two distributions (Kolmogorov and Smirnov), in units of its scale for so many values."""
    values = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(each), values, side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max() * np.sqrt(len(first) * len(second) / (len(first) + len(second))))


UNLIKELY = 2.2
"""Two samples of one distribution are this far apart in one case of 8,000."""


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (300, 40), (40, 300), (1, 1), (7, 5)])
def test_crops_are_timms(size: tuple[int, int], timm: Any) -> None:
    random.seed(0)
    generator = np.random.default_rng(0)
    params = timm.data.transforms.RandomResizedCropAndInterpolation.get_params
    for scale, ratio in (((0.08, 1.0), (3 / 4, 4 / 3)), ((0.3, 0.5), (0.9, 2.0))):
        ours = np.array([crop_box(*size, scale, ratio, generator) for _ in range(1500)], float)
        found = np.array([params(Image.new("L", size), scale, ratio) for _ in range(1500)], float)
        top, left, height, width = found.T
        for own, theirs in zip(ours.T, (left, top, left + width, top + height), strict=True):
            assert apart(own, theirs) < UNLIKELY


def facts(transform: Callable[[Image.Image], torch.Tensor], count: int) -> npt.NDArray[np.float64]:
    """Of so many tensors what flips, crops, colours, blur and erasing change: [facts, count]."""
    rows = []
    for _ in range(count):
        values = transform(PICTURE).double()
        assert values.shape == (3, SIDE, SIDE)
        differences = torch.cat([values.diff(dim=1).flatten(), values.diff(dim=2).flatten()]).abs()
        rows.append(
            [
                *values.mean((1, 2)),
                *values.std((1, 2)),
                values[:, :, : SIDE // 2].mean() - values[:, :, SIDE // 2 :].mean(),
                values[:, : SIDE // 2].mean() - values[:, SIDE // 2 :].mean(),
                differences.mean(),
                differences.max(),
                (values[0] - values[2]).abs().mean(),
                (values[1] - values[2]).std(),
                (values == 0).double().mean(),
                values[0, 0, 0],
                values[2, -1, SIDE // 2],
            ]
        )
    return np.array(rows, float).T


@pytest.mark.parametrize("name", ARGUMENTS)
def test_tensors_have_timms_distribution(name: str, timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # timm keeps no bits in some policies, which new releases of Pillow refuse.
    keeping = [[value & ~(2 ** (8 - bits) - 1) for value in range(256)] * 3 for bits in range(9)]
    monkeypatch.setattr(ImageOps, "posterize", lambda image, bits: image.point(keeping[bits]))
    arguments = {**CONFIG, **ARGUMENTS[name]}
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # timm's RandAugment and AugMix draw from it
    ours = facts(create_transform(**arguments, is_training=True), 400)
    theirs = facts(timm.data.create_transform(**arguments, is_training=True), 400)
    assert max(apart(own, other) for own, other in zip(ours, theirs, strict=True)) < UNLIKELY


def test_one_picture_changed_by_given_numbers_is_torchvisions(torchvision: Any) -> None:
    functional = torchvision.transforms.functional
    for sigma in (0.1, 0.7, 2.0):
        wanted = np.asarray(functional.gaussian_blur(PICTURE, [23, 23], [sigma, sigma])).astype(int)
        assert np.abs(np.asarray(blurred(PICTURE, sigma)) - wanted).max() <= 1
    for number, function in enumerate((functional.adjust_brightness, functional.adjust_contrast)):
        largest = [0.0, 0.0, 0.0]
        largest[number] = 0.4
        generator = np.random.default_rng(5)
        generator.permutation(3)
        factor = generator.uniform(0.6, 1.4)
        found = jittered(PICTURE, largest, np.random.default_rng(5))
        assert np.array_equal(np.asarray(found), np.asarray(function(PICTURE, factor)))


def test_it_follows_torchs_generator_and_goes_to_other_processes() -> None:
    transform = create_transform(**CONFIG, is_training=True, re_prob=0.5)
    assert pickle.loads(pickle.dumps(transform)) == transform
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(torch.stack([transform(PICTURE) for _ in range(3)]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0][0], found[0][1])
    assert (found[0].dtype, found[0].is_contiguous()) == (torch.float32, True)


def test_files_and_grey_pictures_are_taken() -> None:
    transform = create_transform(**CONFIG, is_training=True)
    for picture in (encoded(PICTURE, "JPEG"), PICTURE.convert("L"), np.asarray(PICTURE)):
        assert transform(picture).shape == (3, SIDE, SIDE)


def test_the_defaults_are_timms() -> None:
    assert create_transform(16, is_training=True, color_jitter=None).changes == RandomChanges(color_jitter=())
    assert create_transform(16, is_training=True, color_jitter=0.2).changes.color_jitter == (0.2, 0.2, 0.2)
    assert create_transform(16, is_training=True, scale=None, ratio=None).changes == RandomChanges()
