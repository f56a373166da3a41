"""Where the time of a run goes, and what an evaluation will take."""

import pytest

from regnety.finetuning.timing import EvaluationTime, StageTimes


def test_an_evaluation_takes_a_start_and_its_photographs() -> None:
    time = EvaluationTime(start_s=1.0, photograph_s=0.5)
    assert time.seconds(4) == 3.0
    assert time.seconds(4, 2) == 5.0
    assert time.seconds(4, 0) == 3.0  # there is no such split


def test_a_stage_that_fails_counts_too() -> None:
    times = StageTimes()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^x$"), times.stage("work"):
            raise ValueError("x")
    assert list(times.seconds) == ["work"]
    assert 0 <= times.seconds["work"] <= times.total
