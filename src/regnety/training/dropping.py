"""What is dropped in a step: residuals (stochastic depth) and features before the classifier (dropout).

Which ones depends on seed and step alone, and not on torch's generator, whose state a kill would lose.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from regnety.network.drop_path import DropPath
from regnety.network.modules import RegNet
from regnety.training.distribution.batch_parts import BatchPart

DROPPING = 3
"""Tells these random numbers from those of the crops."""


class Dropping:
    """Takes the place of a network's own drop layers, and says before each step what they drop.

    Args:
        network: its layers that drop something are replaced.
        seed: of the run.
    """

    def __init__(self, network: RegNet, seed: int) -> None:
        self._seed = seed
        self._paths: list[_DroppedPaths] = []
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, DropPath):
                    self._paths.append(_DroppedPaths(child.drop_prob))
                    setattr(module, name, self._paths[-1])
        self._features: _DroppedFeatures | None = None
        self._kept: list[Tensor] = []
        self._num_features = network.head_hidden_size
        if network.drop_rate > 0:
            self._features = network.head.drop = _DroppedFeatures(network.drop_rate)

    def draw(self, part: BatchPart, step: int, device: torch.device) -> None:
        """Choose what the next step drops.

        Args:
            part: which pictures of the whole batch the network gets.
            step: counted over the whole run.
            device: where the network is.
        """
        if not self._paths and self._features is None:
            return
        generator = np.random.default_rng((self._seed, step, DROPPING))

        def numbers(columns: int) -> Tensor:
            """A row for each picture, of those that are drawn for the whole batch."""
            return torch.from_numpy(part.of(generator.random((part.whole, columns), np.float32))).to(device)

        self._kept = [
            (drawn >= layer.drop_prob)[:, None, None, None]
            for layer, drawn in zip(self._paths, numbers(len(self._paths)).unbind(1), strict=True)
        ]
        if self._features is not None:
            self._kept.append(numbers(self._num_features) >= self._features.p)
        self.narrow_to(slice(None))

    def narrow_to(self, some: slice | npt.NDArray[np.intp]) -> None:
        """Let the network see only some of the pictures that were drawn for, where it computes them in parts."""
        layers = [*self._paths, *([] if self._features is None else [self._features])]
        for layer, kept in zip(layers, self._kept, strict=False):  # none before the first draw
            layer.kept = kept[some]


class _DroppedPaths(DropPath):
    """Drops the residuals of the pictures that it is told to; scales the others so that the mean stays."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__(drop_prob)
        self.kept: Tensor | None = None  # no buffer: workers would send theirs to each other
        """bool [N, 1, 1, 1]; None drops nothing."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.kept is None:
            return x
        return x * (self.kept.to(x.dtype) / (1 - self.drop_prob))


class _DroppedFeatures(nn.Dropout):
    """Drops the features that it is told to; scales the others so that the mean stays."""

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.kept: Tensor | None = None
        """bool [N, num_features]; None drops nothing."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.kept is None:
            return input
        return input * (self.kept.to(input.dtype) / (1 - self.p))
