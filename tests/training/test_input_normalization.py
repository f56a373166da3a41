"""Pixels as the network sees them."""

import numpy as np
import torch

from regnety.training.input_normalization import InputNormalization


def test_normalisation_and_small_pictures() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    normalize = InputNormalization((0.1, 0.5, 0.9), (0.2, 0.5, 1.0))
    images = normalize(torch.from_numpy(pixels))
    expected = ((pixels / 255 - [0.1, 0.5, 0.9]) / [0.2, 0.5, 1.0]).transpose(0, 3, 1, 2)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(images, expected, atol=1e-5)
    small = normalize(torch.from_numpy(pixels), 8)
    assert small.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(small.mean((2, 3)), images.mean((2, 3)), atol=0.05)
