"""Averaged weights, which are evaluated and kept in place of the last ones."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn

from regnety.training.optimisation.schedules import LONGEST_WARMUP
from regnety.training.recipes.recipe import Recipe

NewShare: TypeAlias = Callable[[int, int], float]
"""Share of the new weights in the average, by (step counted over the whole run from 0, updates until now from 1).

0 leaves the average as it is.
"""


def new_share(recipe: Recipe, steps_per_epoch: int) -> NewShare | None:
    """How a recipe averages its weights; None where it does not.

    With `ema_alpha` as pycls does: every `ema_every` steps of an epoch, its first one included, with
    min(1, ema_alpha · batch_size / epochs · ema_every), which makes the average span about the same part of a run
    whatever its length and its batch; and a plain copy at those steps of the warm-up.
    """
    decay, alpha = recipe.ema_decay, recipe.ema_alpha
    if alpha is not None:
        share = min(1.0, alpha * recipe.batch_size / recipe.epochs * recipe.ema_every)
        warmup_epochs = min(recipe.warmup_epochs, recipe.epochs * LONGEST_WARMUP)

        def as_pycls(step: int, updates: int) -> float:
            epoch, step_of_epoch = divmod(step, steps_per_epoch)
            if step_of_epoch % recipe.ema_every:
                return 0.0
            return 1.0 if epoch < warmup_epochs else share

        return as_pycls
    if not decay:
        return None

    def ramped(step: int, updates: int) -> float:
        if step % steps_per_epoch % recipe.ema_every:
            return 0.0
        # Without the ramp the first weights would stay in the average for 1 / (1 - decay) steps, 10,000 by default.
        return 1 - min(decay, (1 + updates) / (10 + updates))

    return ramped


class WeightAverage:
    """An exponential moving average of a model's weights and running statistics.

    Args:
        model: whose weights are averaged, and copied to begin with.
        share: of the new weights.
    """

    def __init__(self, model: nn.Module, share: NewShare) -> None:
        self.share = share
        self.updates = 0
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Add the weights after a step, counted over the whole run, to the average."""
        share = self.share(step, self.updates + 1)
        if not share:
            return
        self.updates += 1
        current = model.state_dict()
        floating = [key for key, value in self.state.items() if value.is_floating_point()]
        # One call for all tensors: a loop over 300 small ones would spend its time in Python.
        torch._foreach_lerp_([self.state[key] for key in floating], [current[key] for key in floating], share)
        for key in self.state.keys() - floating:
            self.state[key].copy_(current[key])  # counters of batches
