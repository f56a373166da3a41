"""How long a step takes, by a clock that the steps move."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from regnety.training import step_time
from regnety.training.step_time import mean_step_s


class Steps:
    """Steps that take these seconds, which pass when their loss is read."""

    def __init__(self, seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.left = list(seconds)
        monkeypatch.setattr(step_time, "time", SimpleNamespace(monotonic=lambda: self.now))

    def __iter__(self) -> Iterator[Any]:
        while self.left:
            yield SimpleNamespace(loss=self)

    def item(self) -> None:
        self.now += self.left.pop(0)


def test_the_first_two_do_not_count_and_two_are_measured_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps([9.0, 5.0, 1.0, 2.0, 7.0], monkeypatch)
    assert mean_step_s(iter(steps), 0.5) == 1.5
    assert steps.left == [7.0]


def test_steps_are_measured_for_as_long_as_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps([9.0, 5.0, 1.0, 2.0, 1.0, 4.0, 7.0], monkeypatch)
    assert mean_step_s(iter(steps), 6.0) == 2.0
    assert steps.left == [7.0]


def test_one_that_takes_too_long_is_the_answer_but_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps([90.0, 1.0, 30.0, 1.0], monkeypatch)
    assert mean_step_s(iter(steps), 100.0, give_up_s=20.0) == 30.0
    assert steps.left == [1.0]
