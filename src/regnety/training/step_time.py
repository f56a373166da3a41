"""How long a step takes, measured on steps that are trained."""

import math
import time
from collections.abc import Iterator

from regnety.training.loop import StepRecord

UNMEASURED_STEPS = 2
"""First steps, which also wait for the first pictures and for memory."""


def mean_step_s(steps: Iterator[StepRecord], measured_s: float, *, give_up_s: float = math.inf) -> float:
    """Seconds of a step, the mean over `measured_s` seconds of steps and at least two.

    The first two do not count. A step that takes longer than `give_up_s`, but for the first, is the last one and the
    answer.

    Args:
        steps: without end; they are trained as they are taken.
        measured_s: seconds of steps that count.
        give_up_s: seconds of a step that show enough.
    """
    first, began, before = UNMEASURED_STEPS - 1, 0.0, math.inf
    for number, record in enumerate(steps):
        record.loss.item()  # waits for the step
        now = time.monotonic()
        if now - before > give_up_s:
            return now - before
        before = now
        if number == first:
            began = now
        elif number > first + 1 and now - began >= measured_s:
            return (now - began) / (number - first)
    raise AssertionError("the steps have no end")
