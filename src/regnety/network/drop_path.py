"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382), with the rates and the scaling of timm."""

from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, leaves a sample's residual out with a probability, and scales those that stay to the same mean.

    Args:
        drop_prob: share of the samples that lose the residual, 0 to 1.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape; in eval mode the same values."""
        if not self.training:
            return x
        keep_prob = 1 - self.drop_prob
        kept = x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(keep_prob)
        return x * (kept / keep_prob if keep_prob > 0 else kept)

    def extra_repr(self) -> str:
        """What stands between the brackets of its repr."""
        return f"drop_prob={self.drop_prob:.3f}"


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """A rate for each of `depth` blocks: none for the first, `rate` for the last, linear between."""
    return [rate * (block / max(depth - 1, 1)) for block in range(depth)]
