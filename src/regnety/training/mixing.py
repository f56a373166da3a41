"""Changes of a whole batch, as tensors where the network is: pictures mixed with each other, and parts erased.

The random numbers depend on seed and step alone, so a run that is resumed sees the same pictures.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regnety.training.distribution.batch_parts import BatchPart, whole_batch
from regnety.training.recipes.recipe import Augmentation

MIXING = 1
"""Tells these random numbers from those of the crops."""
ERASED_AREA = (0.02, 1 / 3)
"""Smallest and largest share of a picture that is erased."""


@dataclass(frozen=True, slots=True)
class MixedBatch:
    """Pictures, each of one class or of two.

    Args:
        images: float32 [N, 3, H, W].
        labels: [N].
        others: [N], the classes that the pictures were mixed with.
        share: of `labels` in the pictures; 1 where nothing was mixed.
    """

    images: Tensor
    labels: Tensor
    others: Tensor
    share: float


def mixed(
    images: Tensor,
    labels: Tensor,
    augmentation: Augmentation,
    *,
    seed: int,
    step: int,
    part: BatchPart | None = None,
) -> MixedBatch:
    """A batch after mixup (arXiv 1710.09412), CutMix (1905.04899) and random erasing (1708.04896).

    Each picture is mixed with the one at its place in the batch read backwards; batches are drawn at random, so any
    pairing is as good as another. The share is one number for the batch.

    Args:
        images: normalized, float32 [N, 3, H, W]; may be overwritten.
        labels: classes, [N].
        augmentation: what is asked for.
        seed: of the run.
        step: counted over the whole run.
        part: which pictures of the whole batch these are; None is all of them. A part has each picture together with
            the one that it is mixed with, and read backwards brings the two together as the whole batch does.
    """
    generator = np.random.default_rng((seed, step, MIXING))
    if augmentation.erasing:
        _erase(images, augmentation.erasing, generator, part or whole_batch(len(images)))
    alphas = [(mix, alpha) for mix, alpha in ((_blend, augmentation.mixup), (_paste, augmentation.cutmix)) if alpha]
    if not alphas or generator.random() >= augmentation.mixed_share:
        return MixedBatch(images, labels, labels, 1.0)
    mix, alpha = alphas[generator.integers(len(alphas))]
    share = float(generator.beta(alpha, alpha))
    images, share = mix(images, share, generator)
    return MixedBatch(images, labels, labels.flip(0), share)


def _blend(images: Tensor, share: float, generator: np.random.Generator) -> tuple[Tensor, float]:
    return torch.lerp(images.flip(0), images, share), share


def _paste(images: Tensor, share: float, generator: np.random.Generator) -> tuple[Tensor, float]:
    """A box of each other picture, of the area that is left; its share is counted in pixels, as it may be cut off."""
    height, width = images.shape[-2:]
    half = np.sqrt(1 - share) / 2
    across, down = generator.random(2)
    left, right = (int(np.clip(round((across + side * half) * width), 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(round((down + side * half) * height), 0, height)) for side in (-1, 1))
    pasted = images.clone(memory_format=torch.preserve_format)
    pasted[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    return pasted, 1 - (right - left) * (bottom - top) / (width * height)


def _erase(images: Tensor, share: float, generator: np.random.Generator, part: BatchPart) -> None:
    """Set a box to the mean colour, in this share of the pictures."""
    height, width = images.shape[-2:]
    numbers = generator.random((5, part.whole, 1))[:, part.places]
    area = ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * numbers[0]
    aspect = np.exp((2 * numbers[1] - 1) * np.log(1 / 0.3))
    box_height, box_width = np.sqrt(area / aspect) * height, np.sqrt(area * aspect) * width
    chosen = numbers[4] < share

    def within(size: int, box: npt.NDArray[np.float64], place: npt.NDArray[np.float64]) -> Tensor:
        start = place * np.maximum(size - box, 0)
        places = np.arange(size)
        inside = (places >= np.floor(start)) & (places < np.floor(start) + np.round(box)) & chosen
        return torch.from_numpy(inside).to(images.device)  # [N, size]

    rows, columns = within(height, box_height, numbers[2]), within(width, box_width, numbers[3])
    images.masked_fill_((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)
