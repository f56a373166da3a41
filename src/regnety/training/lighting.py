"""PCA lighting: random amounts of the principal colours of ImageNet's pixels (Krizhevsky et al. 2012, section 4.1).

The values are those of the paper's code (pycls, `datasets/imagenet.py`). Random numbers depend on seed and step alone.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regnety.training.distribution.batch_parts import BatchPart, whole_batch

LIGHTING = 2
"""Tells these random numbers from those of the crops."""
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])
"""Of the covariance of red, green and blue, from 0 to 1."""
EIGENVECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
"""A row for each of red, green and blue; a column for each eigenvalue."""


def colour_offsets(count: int, amount: float, *, seed: int, step: int) -> npt.NDArray[np.float64]:
    """What is added to red, green and blue of each picture, on the scale from 0 to 1: [count, 3].

    Args:
        count: pictures of the batch.
        amount: deviation of the random amounts.
        seed: of the run.
        step: counted over the whole run.
    """
    amounts = np.random.default_rng((seed, step, LIGHTING)).normal(0, amount, (count, 3))
    offsets: npt.NDArray[np.float64] = (amounts * EIGENVALUES) @ EIGENVECTORS.T
    return offsets


def lit(images: Tensor, amount: float, std: Tensor, *, seed: int, step: int, part: BatchPart | None = None) -> Tensor:
    """Normalized pictures in another light.

    Args:
        images: float32 [N, 3, H, W].
        amount: deviation of the random amounts.
        std: of the normalization, on the scale from 0 to 1: [1, 3, 1, 1].
        seed: of the run.
        step: counted over the whole run.
        part: which pictures of the whole batch these are; None is all of them.
    """
    part = part or whole_batch(len(images))
    offsets = part.of(colour_offsets(part.whole, amount, seed=seed, step=step))
    return images + torch.from_numpy(offsets).to(images)[:, :, None, None] / std
