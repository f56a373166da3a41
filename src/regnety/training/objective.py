"""What a step makes smaller: the cross-entropy of a batch, whole or in parts."""

import numpy as np
import torch
from torch import Tensor, nn

from regnety.training.batch_plan import Targets
from regnety.training.distribution.workers import ALONE, Workers


class Objective(nn.Module):
    """Cross-entropy as a sum and what it is divided by, so that parts of a batch add up to the loss of the whole.

    Args:
        label_smoothing: share of the target that is spread evenly over all classes.
        class_weights: weight of each class, [num_classes]; None counts all pictures the same.
        workers: who each have a part of the batch.
        dtype: of the loss.
    """

    def __init__(
        self,
        *,
        label_smoothing: float,
        class_weights: Tensor | None = None,
        workers: Workers = ALONE,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self._workers = workers
        self.label_smoothing = label_smoothing
        self.dtype = dtype
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None if class_weights is None else class_weights.to(dtype))

    def divisor(self, labels: Tensor, others: Tensor, share: float) -> Tensor:
        """Sum of the weights of all pictures of a batch, of all workers; their number where all classes count the same.

        Args:
            labels: classes of this worker's pictures, [N].
            others: classes that the pictures were mixed with, [N].
            share: of `labels`.
        """
        if self.class_weights is None:
            return self._workers.sum(torch.full((), len(labels), dtype=self.dtype, device=labels.device))
        weight = self.class_weights[labels].sum()
        if share < 1:
            weight = share * weight + (1 - share) * self.class_weights[others].sum()
        return self._workers.sum(weight)

    def forward(self, logits: Tensor, labels: Tensor, others: Tensor, share: float) -> Tensor:
        """Sum of the cross-entropies of some pictures; `logits` are [N, num_classes], the rest as in `divisor`."""
        logits = full_precision(logits)
        loss = self._sum(logits, labels)
        return loss if share == 1 else share * loss + (1 - share) * self._sum(logits, others)

    def _sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(
            logits, labels, self.class_weights, reduction="sum", label_smoothing=self.label_smoothing
        )


def full_precision(logits: Tensor) -> Tensor:
    """The same as float32, or as float64 where they are: half types have too few digits for a sum of exponentials."""
    return logits if logits.dtype == torch.float64 else logits.float()


def balanced_weights(targets: Targets, num_classes: int) -> Tensor:
    """Weights of the classes, float32 [num_classes], of which each has the same sum over its pictures; 1 on average."""
    counts = np.bincount(targets, minlength=num_classes)
    # A class without a picture is in no batch; any weight will do.
    return torch.from_numpy(len(targets) / (num_classes * np.maximum(counts, 1))).float()
