"""The best few epochs of a run, with their weights, and the average of those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Weights: TypeAlias = dict[str, Tensor]
"""A network's parameters and running statistics by their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedEpoch:
    """The weights after an epoch, and how good they are on the validation pictures."""

    epoch: int
    """0 are the weights at the start."""
    top1: float
    """In percent."""
    loss: float
    """Mean cross-entropy."""
    weights: Weights

    @property
    def rank(self) -> tuple[float, int]:
        """Higher is better. Of epochs with the same accuracy the later one: it was trained and averaged for longer."""
        return self.top1, self.epoch

    def as_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {name: getattr(self, name) for name in self.__slots__}


class BestEpochs:
    """The best epochs of a run so far.

    Args:
        count: how many are kept.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._ranked: list[RankedEpoch] = []

    def add(self, epoch: RankedEpoch) -> None:
        """Rank an epoch; the worst goes where there are too many."""
        self._ranked = sorted([*self._ranked, epoch], key=lambda ranked: ranked.rank, reverse=True)[: self._count]

    @property
    def ranked(self) -> Sequence[RankedEpoch]:
        """Best first."""
        return self._ranked

    def average(self) -> Weights:
        """The mean of their weights; counters are those of the best."""
        first = self._ranked[0].weights
        return {
            # Those from a checkpoint are on the processor, others on the card.
            key: torch.stack([epoch.weights[key].to(value.device) for epoch in self._ranked]).mean(0)
            if value.is_floating_point()
            else value.clone()
            for key, value in first.items()
        }

    def as_list(self) -> list[dict[str, Any]]:
        """For a checkpoint, where tensors that stand in several places are stored once."""
        return [epoch.as_dict() for epoch in self._ranked]

    def restore(self, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `as_list` wrote."""
        self._ranked = [RankedEpoch(**epoch) for epoch in epochs]
