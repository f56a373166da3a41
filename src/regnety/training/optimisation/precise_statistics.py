"""Statistics of batch norm computed anew, in place of the running ones (precise BN)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def set_precise_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every batch norm the mean of the batches' means, and of their variances, as pycls does.

    Running statistics are those of weights that have changed since; these are of the weights as they are. Nothing but
    the running means and variances changes, and the network is in evaluation mode afterwards.

    Args:
        model: the network.
        batches: normalised pictures, each [N, 3, H, W]; at least one.
    """
    model.eval()  # no dropout and no stochastic depth, as in the evaluation that follows
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.num_batches_tracked = torch.zeros_like(norm.num_batches_tracked)  # type: ignore[arg-type]
        norm.reset_running_stats()
        norm.momentum = None  # torch's sign for the plain mean over all batches
        norm.train()
    for images in batches:
        model(images)
    for norm, (momentum, batches_tracked) in zip(norms, kept, strict=True):
        norm.momentum, norm.num_batches_tracked = momentum, batches_tracked
        norm.eval()
