"""Pictures on a device: the crops, moves and flips that threads make on a processor."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regnety import Preprocessing
from regnety.datasets.samples import Sample
from regnety.training.batch_plan import EpochPlan
from regnety.training.batches import training_batches
from regnety.training.device_batches import CroppedOnDevice, ShiftedOnDevice
from regnety.training.devices import PROCESSOR, Device
from regnety.training.kept_pictures import load_all, padded_pixels, pixels_of_one_size, training_images
from regnety.training.recipes.recipe import Augmentation

SIDE = 32
SEEN = Preprocessing(image_size=SIDE, crop_pct=1.0, exif_orientation=True)
CLASSES = ["even", "odd"]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Twelve smooth pictures of 40 pixels."""
    found = []
    for number in range(12):
        generator = np.random.default_rng(number)
        coarse = Image.fromarray(generator.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        path = tmp_path / f"{number}.png"
        coarse.resize((40, 40), Image.Resampling.BICUBIC).save(path)
        found.append(Sample(path, CLASSES[number % 2]))
    return found


def test_crops_on_a_device_are_those_of_the_threads(samples: list[Sample]) -> None:
    augmentation = Augmentation(min_area=0.3, kept_side=40)
    images = training_images(samples, SEEN, kept_side=40, quiet=True)
    threads = training_batches(
        samples, CLASSES, SEEN, augmentation, batch_size=4, seed=3, images=images, device=PROCESSOR, quiet=True
    )
    pixels = pixels_of_one_size(images, largest_side=60)
    assert pixels is not None
    card = CroppedOnDevice(
        pixels, threads.targets, augmentation, EpochPlan(12, 4, 3, None), Device("cpu"), image_size=SIDE
    )
    assert card.steps_per_epoch == threads.steps_per_epoch == 3
    for (expected, targets), (found, found_targets) in zip(threads.epoch(2), card.epoch(2), strict=True):
        assert found.shape == (4, SIDE, SIDE, 3)
        assert found.dtype == torch.uint8
        np.testing.assert_array_equal(found_targets.numpy(), targets)
        # Another bicubic kernel (a = -0.75 in place of -0.5): 2 of 255 on smooth pictures, 60 on another crop.
        assert np.abs(found.numpy().astype(float) - np.asarray(expected)).mean() < 3


def test_moves_on_a_device_are_those_of_the_processor_to_the_bit(samples: list[Sample]) -> None:
    augmentation = Augmentation(crop="shift", shift=3)
    here = training_batches(samples, CLASSES, SEEN, augmentation, batch_size=5, seed=1, quiet=True)
    padded = padded_pixels(load_all(samples, SEEN, quiet=True), augmentation.shift)
    card = ShiftedOnDevice(padded, here.targets, augmentation, EpochPlan(12, 5, 1, None), Device("cpu"))
    for (expected, targets), (found, found_targets) in zip(here.epoch(1), card.epoch(1), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
        np.testing.assert_array_equal(found_targets.numpy(), targets)


def test_pictures_of_two_sizes_or_too_large_ones_stay_with_the_threads(samples: list[Sample], tmp_path: Path) -> None:
    images = training_images(samples, SEEN, kept_side=40, quiet=True)
    assert pixels_of_one_size(images, largest_side=39) is None
    assert pixels_of_one_size(training_images(samples, SEEN, kept_side=None), largest_side=60) is None
    Image.new("RGB", (40, 50)).save(tmp_path / "tall.png")
    mixed = training_images([*samples, Sample(tmp_path / "tall.png", "odd")], SEEN, kept_side=40, quiet=True)
    assert pixels_of_one_size(mixed, largest_side=60) is None
