"""The plan of a run with a time limit: how many steps, at what size, and what is written down."""

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs import examples
from regnety.finetuning.layer_recipe import batch_size_for
from regnety.finetuning.planning import (
    FEWEST_SHARE,
    FEWEST_STEPS,
    MOST_EPOCHS,
    MOST_LONGER,
    USED,
    Costs,
    Plan,
    Revision,
    TooShortError,
    affordable_size,
    epochs_that_fit,
    image_sizes,
    planned_epochs,
    read_plan,
)
from regnety.training.recipes.recipe import Recipe


@given(
    step_s=st.floats(0.001, 5),
    validation_s=st.floats(0, 5),
    checkpoint_s=st.floats(0, 2),
    available_s=st.floats(0.1, 10_000),
)
@examples(300)
def test_what_is_planned_fits_and_fills_the_time(
    step_s: float, validation_s: float, checkpoint_s: float, available_s: float
) -> None:
    costs = Costs(step_s=step_s, validation_s=validation_s, checkpoint_s=checkpoint_s)
    least_s = (FEWEST_STEPS * step_s + 2 * validation_s + checkpoint_s) / USED
    if available_s < least_s:
        with pytest.raises(TooShortError, match=f"need at least {math.ceil(least_s)} s here$"):
            planned_epochs(costs, available_s=available_s)
        return
    epochs, steps = planned_epochs(costs, available_s=available_s)
    assert 1 <= epochs <= MOST_EPOCHS
    assert steps >= 1
    assert epochs * steps >= FEWEST_STEPS
    planned_s = epochs * (steps * step_s + validation_s + checkpoint_s) + validation_s
    assert planned_s <= USED * available_s * 1.0001
    assert planned_s > USED * available_s - epochs * step_s - 1e-6  # less than a step of each epoch is left over


def test_costly_validations_are_few() -> None:
    cheap, dear = (Costs(step_s=0.1, validation_s=cost, checkpoint_s=0) for cost in (0.1, 4.0))
    assert FEWEST_SHARE * MOST_EPOCHS <= planned_epochs(cheap, available_s=100)[0] <= MOST_EPOCHS
    assert planned_epochs(dear, available_s=100)[0] <= 2


def test_of_the_numbers_of_epochs_the_one_that_leaves_least_time() -> None:
    """96 s for 48 steps of 2 s: in 20 epochs they would be 40, in 16 they are 48."""
    costs = Costs(step_s=2.0, validation_s=0.0, checkpoint_s=0.0)
    assert planned_epochs(costs, available_s=100) == (16, 3)


def test_epochs_are_left_out_or_added_by_what_the_last_ones_took() -> None:
    plan = Plan(
        recipe=Recipe(name="x", epochs=10, steps_per_epoch=5),
        passes=3.0,
        costs=Costs(step_s=0.2, validation_s=0.5, checkpoint_s=0.1),
    )

    def fitting(done: int, epoch_s: float, left_s: float) -> int:
        return epochs_that_fit(plan, done=done, epoch_s=epoch_s, left_s=left_s)

    assert fitting(4, 1.6, 6.3 * 1.6 + 0.5) == 10
    assert fitting(4, 3.2, 6.3 * 1.6 + 0.5) == 6
    assert fitting(4, 1.6, 8.3 * 1.6 + 0.5) == 12
    assert fitting(4, 1.6, 1.0) == 4  # the run ends here
    assert fitting(4, 1.6, -3.0) == 4
    assert fitting(4, 0.001, 1000.0) == 10 * MOST_LONGER


def test_the_last_revision_of_its_time_counts() -> None:
    revisions = (Revision(after=2, epochs=7), Revision(after=5, epochs=6))
    plan = Plan(recipe=Recipe(name="x", epochs=9), passes=9, revisions=revisions)
    assert [plan.epochs_after(done) for done in range(7)] == [9, 9, 7, 7, 7, 6, 6]


def test_sizes_to_choose_from() -> None:
    assert image_sizes(64) == [32, 48, 64]
    assert image_sizes(96) == [48, 64, 96]
    assert image_sizes(224) == [112, 160, 224]
    assert image_sizes(32) == [32]


@pytest.mark.parametrize(
    ("steps_per_pass", "wanted_s"),
    [(100, 30.0), (10, 20.0)],  # three passes of 100 steps; of few photographs 200 steps
)
def test_the_larger_size_where_there_is_time(steps_per_pass: int, wanted_s: float) -> None:
    """A step takes 0.1 s at 32 pixels, 2.25 times that at 48, and four times at 64."""
    chosen = [
        affordable_size([32, 48, 64], smallest_step_s=0.1, steps_per_pass=steps_per_pass, available_s=share * wanted_s)
        for share in (0.5, 1.1, 2.2, 2.3, 3.9, 4.1, 100)
    ]
    assert chosen == [32, 32, 32, 48, 48, 64, 64]


def test_few_photographs_come_in_small_batches() -> None:
    assert [batch_size_for(count) for count in (2, 100, 200, 500, 5000)] == [8, 8, 16, 32, 32]


@pytest.mark.parametrize("costs", [None, Costs(step_s=0.125, validation_s=1.5, checkpoint_s=0.25)])
def test_a_plan_is_read_as_it_was_written(costs: Costs | None, tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    plan = Plan(
        recipe=Recipe(name="x", epochs=3, steps_per_epoch=17, image_size=48),
        passes=4.25,
        time_limit_s=None if costs is None else 30.0,
        prepared_s=None if costs is None else 2.5,
        costs=costs,
        threads=None if costs is None else 2,
        revisions=() if costs is None else (Revision(after=1, epochs=4),),
    )
    plan.write(tmp_path)
    assert read_plan(tmp_path) == plan
    dataclasses.replace(plan, passes=5.0).write(tmp_path)
    assert read_plan(tmp_path) != plan
