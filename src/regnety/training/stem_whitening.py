"""A stem that begins with the principal components of the pictures' small squares (patch whitening).

Its outputs are uncorrelated and of one size from the first step on, so that a short run does not spend its first epochs
on that. After Keller Jordan, arXiv 2404.00498, who keeps such a layer as it is; here it is trained with the others.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.training.batches import TrainingBatches
from regnety.training.distribution.workers import Workers

PICTURES = 4096
"""That are looked at, or those of an epoch where it has fewer."""
CHUNK = 64
"""Pictures whose squares are in memory at once."""
SMALLEST_VARIANCE = 5e-4
"""Added to that of each component: pictures without colour have components without any."""


@torch.no_grad()
def whiten_stem(
    network: RegNet, batches: TrainingBatches, preprocessing: Preprocessing, *, epoch: int, workers: Workers
) -> None:
    """Fill the stem's convolution, in place: the first half with components, the other half with their opposites.

    A stem with more than two outputs for each component keeps its random weights in the others.

    Args:
        network: has random weights.
        batches: the training pictures.
        preprocessing: of the network's input.
        epoch: whose pictures are looked at.
        workers: who train together; the weights do not depend on their number.
    """
    convolution = network.stem.conv
    weight = convolution.weight
    covariance = _covariance(batches, convolution, epoch=epoch, workers=workers)
    deviation = 255 * torch.tensor(preprocessing.std, dtype=torch.float64)
    scale = deviation.repeat_interleave(weight[0, 0].numel())
    variances, vectors = torch.linalg.eigh(covariance / scale / scale[:, None])  # rising, and in columns
    components = vectors.T.flip(0) / (variances.flip(0)[:, None] + SMALLEST_VARIANCE).sqrt()
    # An eigenvector is as good as its opposite, and libraries differ in which one they give.
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    components = (components * largest.sign())[: len(weight) // 2]
    both = torch.cat([components, -components])  # what rectification takes from one, the other one keeps
    weight[: len(both)] = both.view(-1, *weight.shape[1:]).to(weight)


def _covariance(batches: TrainingBatches, convolution: nn.Conv2d, *, epoch: int, workers: Workers) -> Tensor:
    """Of the pixels, 0 to 255, in the squares that a convolution sees: float64 [inputs, inputs]."""
    inputs = convolution.weight[0].numel()
    # Sums of pixels and of their products are whole numbers: exact in float64, in whatever order they are added.
    count = torch.zeros((), dtype=torch.float64)
    sums, products = torch.zeros(inputs, dtype=torch.float64), torch.zeros(inputs, inputs, dtype=torch.float64)
    for pixels in _pictures(batches, epoch):
        squares = nn.functional.unfold(
            pixels.permute(0, 3, 1, 2).double(), convolution.kernel_size, stride=convolution.stride
        )
        squares = squares.transpose(0, 1).flatten(1)  # [inputs, squares of all pictures]
        count += squares.shape[1]
        sums += squares.sum(1)
        products += squares @ squares.T
    for values in (count, sums, products):
        workers.sum(values)
    mean = sums / count
    return products / count - mean * mean[:, None]


def _pictures(batches: TrainingBatches, epoch: int) -> Iterator[Tensor]:
    """This worker's part of the pictures that are looked at, uint8 [N, height, width, 3] on the processor."""
    seen = 0
    for pixels, _ in batches.epoch(epoch):
        for first in range(0, len(pixels), CHUNK):
            yield torch.as_tensor(pixels[first : first + CHUNK]).cpu()
        seen += batches.part.whole
        if seen >= PICTURES:
            return
