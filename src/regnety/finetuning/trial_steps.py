"""What the first steps of a run cost here: the plan of a run with a time limit."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from regnety.datasets.samples import DataSplits
from regnety.finetuning.layer_recipe import in_epochs
from regnety.finetuning.planning import Costs, Plan, affordable_size, image_sizes, planned_epochs
from regnety.finetuning.start import start_s
from regnety.metadata.model_metadata import ModelMetadata
from regnety.training.recipes.recipe import Recipe
from regnety.training.session import Session
from regnety.training.torch_threads import torch_threads, with_torch_threads

MEASURED_SHARE = 0.02
"""Share of the time left that the steps at a size are measured for."""
MEASURED_S = (0.5, 4.0)
"""At least and at most."""
SIZES_MEASURED_S = 0.25
"""Seconds of steps by which the number of threads and the input size are chosen."""
CRAWLING = 3.0
"""A step on all threads that takes so many times as long as on one shows enough: other work has the processor."""
MEASURED_FOLDER = ".measured.part"
"""Holds a checkpoint that is written to see how long it takes; what a kill leaves of it is removed with the rest."""


def plan_within(
    time_limit_s: float,
    began: float,
    recipe: Recipe,
    session_of: Callable[[Recipe], Session],
    splits: DataSplits,
    *,
    run: Path,
    metadata: ModelMetadata,
    sizes: list[int] | None,
) -> Plan:
    """Measure the first steps, and plan epochs, steps and input size so that the training ends within a time limit.

    Args:
        time_limit_s: of the training.
        began: when it began, by `time.monotonic`.
        recipe: what is trained; its epochs, steps and size are chosen here.
        session_of: makes a session that is trained for a few steps and dropped.
        splits: the photographs.
        run: the run's folder.
        metadata: of the model, for a checkpoint.
        sizes: input sizes to choose from, smallest first; None leaves that of the recipe.

    Raises:
        TooShortError: there is not enough time for a few steps.
    """

    def left_s() -> float:
        return time_limit_s - (time.monotonic() - began)

    assert recipe.image_size is not None
    sizes = sizes or image_sizes(recipe.image_size)
    trial = session_of(replace(recipe, image_size=sizes[0]))
    threads, smallest_step_s = _faster_threads(trial)
    size = affordable_size(
        sizes, smallest_step_s=smallest_step_s, steps_per_pass=trial.steps_per_epoch, available_s=left_s()
    )
    recipe = replace(recipe, image_size=size)
    trial = session_of(recipe)
    least, most = MEASURED_S
    with with_torch_threads(threads):
        step_s = trial.measure_step_s(min(max(least, MEASURED_SHARE * left_s()), most))
        validation_s = 0.0
        if splits.val:
            trial.rank_start()  # decodes the photographs, which are kept
            validation_s = _seconds_of(trial.rank_start)
    folder = run / MEASURED_FOLDER
    checkpoint_s = _seconds_of(lambda: trial.save(folder, metadata, keep=1))
    shutil.rmtree(folder)
    start_takes_s = start_s(trial, num_photographs=len(splits.train), step_s=step_s)
    costs = Costs(step_s=step_s, validation_s=validation_s, checkpoint_s=checkpoint_s)
    prepared_s = time.monotonic() - began
    # The session begins with a classifier and a validation of its own.
    epochs, steps = planned_epochs(costs, available_s=time_limit_s - prepared_s - start_takes_s - validation_s)
    return Plan(
        recipe=in_epochs(recipe, epochs, steps_per_epoch=steps),
        passes=round(epochs * steps / trial.steps_per_epoch, 2),
        time_limit_s=time_limit_s,
        prepared_s=round(prepared_s, 2),
        costs=costs,
        threads=threads,
    )


def _faster_threads(trial: Session) -> tuple[int, float]:
    """(threads, seconds of a step): all that torch uses, or one.

    Threads wait for each other in every layer. Where other work has some of the cores, one is eight times as fast.
    """
    threads = torch_threads()
    if threads == 1:
        return 1, trial.measure_step_s(SIZES_MEASURED_S)
    with with_torch_threads(1):
        alone_s = trial.measure_step_s(SIZES_MEASURED_S)
    together_s = trial.measure_step_s(SIZES_MEASURED_S, give_up_s=CRAWLING * alone_s)
    return (threads, together_s) if together_s < alone_s else (1, alone_s)


def _seconds_of(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
