"""The learning rate of each step."""

import math
from collections.abc import Callable

from regnety.training.recipes.recipe import Recipe

WARMUP_FROM = 0.1
"""Factor of the learning rate at the first step of the warm-up."""
LONGEST_WARMUP = 1 / 5
"""Largest share of a run that the warm-up takes, so that a shortened run still trains."""
STEP_POINTS = (0.3, 0.6, 0.9)
"""Shares of a run after which `step` lowers the rate: epochs 30, 60 and 90 of 100, as in the training of ResNets."""
STEP_FACTOR = 0.1
ONE_CYCLE_RISE = 0.3
"""Share of a run in which `one-cycle` rises. This and the next two are torch's defaults (`OneCycleLR`)."""
ONE_CYCLE_FROM = 1 / 25
ONE_CYCLE_TO = 1 / 25 / 1e4


def make_schedule(recipe: Recipe, steps_per_epoch: int) -> Callable[[int], float]:
    """Learning rate of a step, counted over the whole run from 0.

    It is the recipe's schedule times a warm-up that grows linearly from 0.1 to 1; `one-cycle` rises by itself and has
    no other warm-up. With `schedule_unit` `epoch` all steps of an epoch have the rate of its first one.
    """
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = min(recipe.warmup_epochs * steps_per_epoch, steps * LONGEST_WARMUP)
    shape = SHAPES[recipe.schedule]
    every = steps_per_epoch if recipe.schedule_unit == "epoch" else 1

    def schedule(step: int) -> float:
        step -= step % every
        factor = shape(step / steps)
        if step < warmup_steps and recipe.schedule != "one-cycle":
            factor *= WARMUP_FROM + (1 - WARMUP_FROM) * step / warmup_steps
        return recipe.optimizer.lr * factor

    return schedule


def _cosine(done: float) -> float:
    """Half a period, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * done))


def _linear(done: float) -> float:
    return 1 - done


def _step(done: float) -> float:
    return STEP_FACTOR ** sum(done >= point for point in STEP_POINTS)


def _one_cycle(done: float) -> float:
    """A half-period cosine up, and a longer one down to almost nothing (arXiv 1708.07120)."""
    if done < ONE_CYCLE_RISE:
        return 1 + (ONE_CYCLE_FROM - 1) * _cosine(done / ONE_CYCLE_RISE)
    return ONE_CYCLE_TO + (1 - ONE_CYCLE_TO) * _cosine((done - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))


SHAPES: dict[str, Callable[[float], float]] = {
    "cosine": _cosine,
    "linear": _linear,
    "step": _step,
    "one-cycle": _one_cycle,
}
"""By their names in a recipe: the factor of the learning rate after a share of the run."""
