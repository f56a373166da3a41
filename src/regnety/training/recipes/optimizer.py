"""The part of a recipe that says how gradients change the weights."""

from dataclasses import dataclass
from typing import Literal

from regnety.training.recipes.limits import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """How gradients change the weights."""

    name: Literal["sgd", "adamw", "lamb", "muon"] = "sgd"
    """Stochastic gradient descent with Nesterov momentum; AdamW (arXiv 1711.05101); LAMB, for large batches (arXiv
    1904.00962); or Muon for the convolutions, each of their groups by itself, and AdamW for the classifier, norms and
    biases. A learning rate of one does not suit another; AdamW and Muon take similar ones."""
    lr: float = 0.1
    """Learning rate at the end of the warm-up, for the whole batch."""
    momentum: float = 0.9
    """Decay of the average of the gradients, 0 to below 1; beta 1 of AdamW and LAMB."""
    beta2: float = 0.999
    """Decay of the average of the squared gradients, 0 to below 1; `sgd` has none."""
    weight_decay: float = 5e-5
    """Factor of the L2 penalty on the weights with `sgd`; the others shrink the weights themselves, by this times the
    learning rate in each step."""
    decay_norms_and_biases: bool = True
    """Apply weight decay to batch norm and biases too, as in the paper."""
    layer_decay: float = 1.0
    """Learning rate of a block, as a share of that of the layer after it. The classifier has `lr`, the last block
    `lr` times this, the one before it `lr` times its square, and the stem the least. 1 gives all layers `lr`."""

    clip_norm: float | None = None
    """Largest norm of all gradients together; longer ones are shortened to it. None lets them be as they are."""

    def __post_init__(self) -> None:
        if self.clip_norm is not None:
            require("optimizer.clip_norm", self.clip_norm > 0, "above 0", self.clip_norm)
        require("optimizer.lr", self.lr > 0, "above 0", self.lr)
        require("optimizer.momentum", 0 <= self.momentum < 1, "from 0 to below 1", self.momentum)
        require("optimizer.beta2", 0 <= self.beta2 < 1, "from 0 to below 1", self.beta2)
        require("optimizer.weight_decay", self.weight_decay >= 0, "at least 0", self.weight_decay)
        require("optimizer.layer_decay", 0 < self.layer_decay <= 1, "above 0 to 1", self.layer_decay)
