"""PCA lighting: pycls's numbers, on pictures that are already normalized."""

import numpy as np
import torch

from regnety.preprocessing import IMAGENET_STD
from regnety.training.lighting import EIGENVALUES, EIGENVECTORS, colour_offsets, lit


def test_the_colours_vary_as_in_pycls() -> None:
    offsets = colour_offsets(200_000, 0.1, seed=0, step=0)
    # pycls adds sum_k of vector[c, k] * value[k] * normal(0, 0.1) to colour c: this covariance.
    wanted = sum(
        0.01 * value**2 * np.outer(vector, vector) for value, vector in zip(EIGENVALUES, EIGENVECTORS.T, strict=True)
    )
    np.testing.assert_allclose(np.cov(offsets.T), wanted, rtol=0.02)
    np.testing.assert_allclose(offsets.mean(0), 0, atol=2e-4)
    np.testing.assert_allclose(EIGENVECTORS.T @ EIGENVECTORS, np.eye(3), atol=2e-3)  # of length 1, at right angles


def test_a_picture_gets_one_colour_before_the_normalization() -> None:
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    images = torch.randn(5, 3, 4, 6)
    changed = lit(images, 0.1, std, seed=2, step=9)
    added = (changed - images) * std
    wanted = torch.from_numpy(colour_offsets(5, 0.1, seed=2, step=9)).float()[:, :, None, None].expand_as(images)
    torch.testing.assert_close(added, wanted, atol=1e-6, rtol=0)
    assert torch.equal(changed, lit(images, 0.1, std, seed=2, step=9))
    assert not torch.equal(changed, lit(images, 0.1, std, seed=2, step=10))
