"""The head: global pooling, dropout and the linear classifier."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from regnety.architecture import validation
from regnety.architecture.layers import Head
from regnety.errors import InvalidDesignError
from regnety.network.initialization import initialize_classifier

GlobalPool = Literal["avg", "max", "avgmax", "catavgmax", ""]
"""Over height and width: the mean, the maximum, the mean of both, both concatenated, or no pooling. timm's names."""


class ClassifierHead(nn.Module):
    """Pooling, dropout and the linear classifier; with num_classes = 0 there is no classifier.

    Args:
        head: its part of the description.
        global_pool: "catavgmax" doubles the features; "" keeps maps, which a classifier cannot take.
        drop_rate: share of the pooled features that training sets to 0.

    Raises:
        InvalidDesignError: an option is not allowed.
    """

    def __init__(self, head: Head, *, global_pool: str = "avg", drop_rate: float = 0.0) -> None:
        super().__init__()
        self.global_pool = _checked_pool(global_pool, head.num_classes)
        self.in_features = head.width_in
        self.drop = nn.Dropout(validation.real("drop_rate", drop_rate, 0, 1))
        self.fc = self._classifier(head.num_classes)

    @property
    def num_features(self) -> int:
        """Features that enter the classifier."""
        return self.in_features * (2 if self.global_pool == "catavgmax" else 1)

    __jit_unused_properties__ = ("num_features",)

    def reset(self, head: Head, global_pool: str | None, like: Tensor) -> None:
        """Replace the classifier with a new, random one, and the pooling if another is named.

        Args:
            head: the new part of the description.
            global_pool: None keeps the present one.
            like: a weight whose device and type the classifier gets.

        Raises:
            InvalidDesignError: the pooling is not allowed; then nothing has changed.
        """
        pool = self.global_pool if global_pool is None else global_pool
        self.global_pool = _checked_pool(pool, head.num_classes)
        self.in_features = head.width_in
        self.fc = self._classifier(head.num_classes, device=like.device, dtype=like.dtype)
        if isinstance(self.fc, nn.Linear):
            initialize_classifier(self.fc)

    def _classifier(
        self, num_classes: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> nn.Module:
        if num_classes == 0:
            return nn.Identity()
        return nn.Linear(self.num_features, num_classes, device=device, dtype=dtype)

    def pool(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, num_features], or the maps as they are where there is no pooling."""
        # Plain reductions, as in timm, and not torch's adaptive pooling modules: they take maps of any size.
        if self.global_pool == "avg":
            return x.mean((2, 3))
        if self.global_pool == "max":
            return x.amax((2, 3))
        if self.global_pool == "avgmax":
            return 0.5 * (x.mean((2, 3)) + x.amax((2, 3)))
        if self.global_pool == "catavgmax":
            return torch.cat((x.mean((2, 3)), x.amax((2, 3))), dim=1)  # [N, 2 * C], means first
        return x

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """[N, C, H, W] -> logits [N, num_classes], or the features before them."""
        x = self.drop(self.pool(x))  # timm's `pre_logits` come after the dropout too
        return x if pre_logits else self.fc(x)


def _checked_pool(global_pool: str, num_classes: int) -> str:
    if global_pool not in get_args(GlobalPool):
        allowed = ", ".join(repr(pool) for pool in get_args(GlobalPool))
        raise InvalidDesignError(f"global_pool must be one of {allowed}, got {global_pool!r}")
    if global_pool == "" and num_classes:
        raise InvalidDesignError(
            f"global_pool='' keeps maps, which a classifier of {num_classes} classes cannot take; give num_classes=0"
        )
    return global_pool
