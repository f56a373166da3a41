"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382), with the rates and the scaling of timm."""

from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, drops the residual of each sample with a probability, and scales the others so that the mean stays.

    Args:
        drop_prob: share of the samples whose residual is dropped, 0 to 1.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape; in eval mode the same values."""
        if not self.training:
            return x
        keep_prob = 1 - self.drop_prob
        kept = x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(keep_prob)  # one draw for each sample, not each value
        return x * (kept / keep_prob if keep_prob > 0 else kept)  # with drop_prob 1 nothing is left to scale

    def extra_repr(self) -> str:
        """The text between the brackets of its repr."""
        return f"drop_prob={self.drop_prob:.3f}"


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """The rates of `depth` blocks over all stages: 0 for the first, `rate` for the last, linear between, as in timm."""
    return [rate * (block / max(depth - 1, 1)) for block in range(depth)]
