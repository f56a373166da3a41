"""How much longer a run will take, measured on its first steps."""

import math
import time

from regnety.text import counted
from regnety.training.recipes.recipe import Recipe

MEASURED_S = 2.0
"""Seconds of steps that are measured."""
FORWARD_SHARE = 1 / 3
"""Time of a validation batch, as a share of a training step: the backward pass takes about twice the forward pass."""


class Duration:
    """Says once how long the rest of a run will take.

    The first step does not count: it also waits for the first pictures and for memory.

    Args:
        recipe: of the run.
        steps_per_epoch: batches in an epoch.
        num_validation: pictures of validation.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int, *, num_validation: int) -> None:
        self._recipe = recipe
        self._steps_per_epoch = steps_per_epoch
        passes = 2 if num_validation and recipe.averages_weights and recipe.ema_kept == "better" else 1
        precise = min(math.ceil(recipe.precise_bn_samples / recipe.batch_size), steps_per_epoch)
        forward_steps = math.ceil(num_validation / recipe.batch_size) + precise
        self._validation_steps = FORWARD_SHARE * passes * forward_steps
        self._first_step: int | None = None
        self._began = 0.0
        self._told = False

    def after_step(self, step: int) -> str | None:
        """The line to print after a step, counted over the whole run; None if there is nothing to say."""
        if self._told:
            return None
        if self._first_step is None:
            self._first_step, self._began = step, time.monotonic()
        measured, passed = step - self._first_step, time.monotonic() - self._began
        last_of_epoch = (step + 1) % self._steps_per_epoch == 0
        if measured == 0 or (passed < MEASURED_S and not last_of_epoch):
            return None
        self._told = True
        epoch = step // self._steps_per_epoch
        step_s = passed / measured / self._cost(epoch)
        left = self._cost(epoch) * (self._steps_per_epoch - 1 - step % self._steps_per_epoch)
        left += sum(self._cost(later) for later in range(epoch + 1, self._recipe.epochs)) * self._steps_per_epoch
        left += (self._recipe.epochs - epoch) * self._validation_steps
        epochs = counted(self._recipe.epochs, "epoch")
        if done := self._first_step // self._steps_per_epoch:
            epochs += f", {done} of them done,"
        return f"{epochs} of {counted(self._steps_per_epoch, 'step')}, {spoken(step_s * left)} to go"

    def _cost(self, epoch: int) -> float:
        """Time of a step in an epoch, as a share of one at full size: the first epochs may have smaller pictures."""
        # The time of a convolution goes with the number of pixels, that is with the square of the side.
        recipe = self._recipe
        if epoch >= recipe.small_epochs or recipe.image_size is None:
            return 1.0
        return (recipe.small_image_size / recipe.image_size) ** 2


def spoken(seconds: float) -> str:
    """A duration in words."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}s"
    return f"about {max(1, round(seconds))} seconds" if seconds >= 1.5 else "about a second"
