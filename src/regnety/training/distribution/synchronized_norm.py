"""Batch norm over the whole batch, of which each worker has a part; torch's own exists for graphics cards alone."""

from typing import Any

import torch
from torch import Tensor, nn

from regnety.training.distribution.workers import Workers

PIXELS = (0, 2, 3)
"""The dimensions of [N, C, H, W] over which a channel's statistics are taken."""


class SynchronizedBatchNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of all workers' pictures together; otherwise torch's, with the same keys.

    Args:
        norm: whose parameters, statistics and settings it has.
        workers: who each have a part of the batch.
    """

    def __init__(self, norm: nn.BatchNorm2d, workers: Workers) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.training = norm.training
        self._workers = workers

    def forward(self, images: Tensor) -> Tensor:
        """Float [N, C, H, W] -> the same shape."""
        if not self.training:
            return super().forward(images)
        normalized: Any = _Normalized.apply  # its own types are those of any function
        output: Tensor
        output, mean, variance, count = normalized(images, self.weight, self.bias, self.eps, self._workers)
        self._keep(mean, variance, count)
        return output

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        # None is the plain mean over all batches, as in torch
        factor = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        unbiased = variance * (count / (count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)


def synchronize_batch_norm(model: nn.Module, workers: Workers) -> None:
    """Replace every batch norm in a network; its keys stay the same."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, SynchronizedBatchNorm(child, workers))


class _Normalized(torch.autograd.Function):
    """(output, mean, variance, count) of [N, C, H, W], where the last three are of the whole batch, in float64."""

    @staticmethod
    def forward(
        context: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float, workers: Workers
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        # bf16 and f16 have too few bits for a sum
        values = images if images.dtype == torch.float64 else images.float()
        variance, mean = torch.var_mean(values, PIXELS, correction=0)
        count = values.numel() // values.shape[1]
        # Sums, as the parts may differ in size; float64, as the difference of two of them is the variance.
        own, own_variance = mean.double(), variance.double()
        ones = own.new_ones(1)
        sums = workers.sum(torch.cat([own * count, (own_variance + own.square()) * count, ones * count]))
        total = sums[-1]
        whole_mean, mean_square = (sums[:-1] / total).chunk(2)
        whole_variance = (mean_square - whole_mean.square()).clamp_(min=0)
        mean, variance = whole_mean.to(values.dtype), whole_variance.to(values.dtype)
        output = nn.functional.batch_norm(images, mean, variance, weight, bias, training=False, eps=eps)
        context.save_for_backward(images, weight, mean, (variance + eps).rsqrt(), total)
        context.workers = workers
        context.mark_non_differentiable(whole_mean, whole_variance, total)
        return output, whole_mean, whole_variance, total

    @staticmethod
    def backward(context: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        images, weight, mean, inverse_std, total = context.saved_tensors
        values, outer = images.to(mean.dtype), gradient.to(mean.dtype)
        shape = (1, -1, 1, 1)
        centred = values - mean.view(shape)
        sum_outer = outer.sum(PIXELS)
        sum_product = (outer * centred).sum(PIXELS)
        sums = context.workers.sum(torch.cat([sum_outer, sum_product]).double())
        mean_outer, mean_product = (sums / total).to(mean.dtype).chunk(2)
        slope = mean_product * inverse_std.square()
        inner = outer - mean_outer.view(shape) - centred * slope.view(shape)
        inner = inner * (weight.to(mean.dtype) * inverse_std).view(shape)
        # Those of weight and bias are of this part alone: like all parameters' they are added up afterwards.
        return (
            inner.to(images.dtype),
            (sum_product * inverse_std).to(weight.dtype),
            sum_outer.to(weight.dtype),
            None,
            None,
        )
