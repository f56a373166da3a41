"""The loss of a step: its mean over the whole batch, of which each worker has a part."""

from collections.abc import Callable

from torch import Tensor, nn

from regnety.training.distribution.batch_parts import BatchPart
from regnety.training.distribution.workers import Workers


def whole_batch_loss(
    criterion: nn.CrossEntropyLoss, workers: Workers, part: BatchPart
) -> Callable[[Tensor, Tensor], Tensor]:
    """What a worker's pictures add to the mean loss of the batch, as a function of logits and labels.

    The sum over the workers is `criterion` of the whole batch, and so is the sum of their gradients.

    Args:
        criterion: the mean over the pictures that it is given.
        workers: the others.
        part: which pictures this one has.
    """
    if workers.count == 1:
        return criterion
    weights = criterion.weight
    if weights is None:

        def plain(logits: Tensor, labels: Tensor) -> Tensor:
            loss: Tensor = criterion(logits, labels) * part.share
            return loss

        return plain

    def weighted(logits: Tensor, labels: Tensor) -> Tensor:
        own = weights[labels].double().sum()
        share = own / workers.sum(own.clone())
        loss: Tensor = criterion(logits, labels) * share.to(logits.dtype)
        return loss

    return weighted
