"""Which trials go on, decided from the journal's records alone."""

import itertools
import random
from fractions import Fraction
from typing import Any

import pytest

from regnety.designspace.halving import Halving, Work, read_share, replayed
from regnety.errors import RecipeError

THIRD = Fraction(1, 3)


def record(trial: int, first: int, until: int, error: float) -> dict[str, Any]:
    rows = [{"epoch": epoch + 1, "val_top1": 100 - error} for epoch in range(first, until)]
    return {"trial": trial, "first": first, "rows": rows, "seconds": 1.0, "message": None, "again": False}


def failure(trial: int, *, again: bool = True) -> dict[str, Any]:
    return {"trial": trial, "first": 0, "rows": [], "seconds": 1.0, "message": "no memory", "again": again}


def test_nine_trials_by_thirds() -> None:
    halving = Halving([9] * 9, THIRD)
    assert halving.rungs(0) == (1, 3, 9)
    records: list[dict[str, Any]] = []
    assert halving.due(replayed(records, 9)) == [Work(trial, 1) for trial in range(9)]
    # trials 2 and 7 have the same error: the smaller number goes on
    errors = [50, 40, 30, 60, 20, 70, 80, 30, 90]
    records += [record(trial, 0, 1, errors[trial]) for trial in range(9)]
    assert halving.survivors(replayed(records, 9))[1] == [2, 4, 7]
    records += [record(4, 1, 3, 19), record(2, 1, 3, 18)]
    assert halving.due(replayed(records, 9)) == [Work(7, 3)]
    records.append(record(7, 1, 3, 17))
    assert halving.due(replayed(records, 9)) == [Work(7, 9)]
    assert halving.remaining_epochs(replayed(records, 9)) == 6
    records.append(record(7, 3, 9, 16))
    assert halving.due(replayed(records, 9)) == []


def test_the_order_in_which_results_come_changes_nothing() -> None:
    halving = Halving([9] * 7, THIRD)
    records = [record(trial, 0, 1, 50 - trial % 4) for trial in range(6)] + [failure(6, again=False)]
    expected = [[0, 1, 2, 3, 4, 5, 6], [1, 2, 3]]
    for seed in range(20):
        shuffled = random.Random(seed).sample(records, len(records))
        assert halving.survivors(replayed(shuffled, 7)) == expected


def test_before_a_rung_is_whole_nobody_goes_on() -> None:
    halving = Halving([90] * 3, THIRD)
    for known in itertools.combinations(range(3), 2):
        progress = replayed([record(trial, 0, 10, 5) for trial in known], 3)
        assert halving.due(progress) == [Work(trial, 10) for trial in range(3) if trial not in known]


def test_a_failing_trial_is_tried_again_twice() -> None:
    halving = Halving([3, 3], None)
    for failures in range(3):
        assert halving.due(replayed([failure(0)] * failures, 2)) == [Work(0, 3), Work(1, 3)]
    progress = replayed([failure(0)] * 3, 2)
    assert halving.due(progress) == [Work(1, 3)]
    assert (progress[0].attempts, progress[0].message, progress[0].seconds) == (3, "no memory", 3.0)
    assert halving.due(replayed([failure(0, again=False)], 2)) == [Work(1, 3)]


def test_a_record_that_came_twice_counts_once() -> None:
    first, second = record(0, 0, 1, 50), record(0, 1, 3, 40)
    progress = replayed([first, second, second], 1)[0]
    assert [row["epoch"] for row in progress.rows] == [1, 2, 3]


@pytest.mark.parametrize("text", ["0", "1", "3/2", "-1/3", "a third", "1/0"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(RecipeError, match="--keep-best takes a share between 0 and 1"):
        read_share(text)
