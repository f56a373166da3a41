"""How fast a run is, and how much longer it will take, measured on its steps."""

import math
import time

from regnety.text import counted
from regnety.training.recipes.recipe import Recipe

MEASURED_S = 2.0
"""Seconds of steps that are measured."""
FORWARD_SHARE = 1 / 3
"""Time of a validation batch, as a share of a training step: the backward pass takes about twice the forward pass."""


class Duration:
    """Says how long the rest of a run will take: once in words, and then as often as it is asked.

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
        left = self._left(step)
        epochs = counted(self._recipe.epochs, "epoch")
        if done := self._first_step // self._steps_per_epoch:
            epochs += f", {done} of them done,"
        return f"{epochs} of {counted(self._steps_per_epoch, 'step')}, {spoken(step_s * left)} to go"

    def minutes_left(self, step: int) -> float | None:
        """Of the run, after a step, by the mean speed so far; None where none was measured yet."""
        if self._first_step is None or step == self._first_step:
            return None
        done = self._left(self._first_step) - self._left(step)
        return (time.monotonic() - self._began) / done * self._left(step) / 60

    def _left(self, step: int) -> float:
        """What remains after a step, in steps at full size; validations too."""
        epoch = step // self._steps_per_epoch
        left = self._cost(epoch) * (self._steps_per_epoch - 1 - step % self._steps_per_epoch)
        left += sum(self._cost(later) for later in range(epoch + 1, self._recipe.epochs)) * self._steps_per_epoch
        return left + (self._recipe.epochs - epoch) * self._validation_steps

    def _cost(self, epoch: int) -> float:
        """Time of a step in an epoch, as a share of one at full size: the first epochs may have smaller pictures."""
        # The time of a convolution goes with the number of pixels, that is with the square of the side.
        small = self._recipe.small_size(epoch)
        if small is None or self._recipe.image_size is None:
            return 1.0
        return (small / self._recipe.image_size) ** 2


class Speed:
    """Images a second in an epoch, without its first batch, which also waits for the first pictures."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._began = 0.0

    def after(self, seen: int) -> float | None:
        """After so many images; None where nothing was measured yet."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = seen, now
        return (seen - self._first) / (now - self._began) if now > self._began else None


def spoken(seconds: float) -> str:
    """A duration in words."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}s"
    return f"about {max(1, round(seconds))} seconds" if seconds >= 1.5 else "about a second"
