"""How long a run will take, told once after the first steps."""

import pytest

from regnety.training import duration
from regnety.training.duration import Duration, Speed, spoken
from regnety.training.recipes.recipe import Recipe, with_settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(duration, "time", clock)
    return clock


def told(clock: Clock, measure: Duration, seconds: list[float], first_step: int = 0) -> list[tuple[int, str]]:
    lines = []
    for step, passed in enumerate(seconds, first_step):
        clock.now += passed
        if (words := measure.after_step(step)) is not None:
            lines.append((step, words))
    return lines


def test_the_first_step_is_left_away_and_validation_counts_a_third(clock: Clock) -> None:
    recipe = with_settings(Recipe(name="x"), ["epochs=10", "batch_size=10", "image_size=32"])
    measure = Duration(recipe, 100, num_validation=300)
    # 1 s a step; 97 are left of this epoch and 900 of the others; 10 validations of 30 batches, each a third
    assert told(clock, measure, [60, 1, 1, 1, 1]) == [(2, "10 epochs of 100 steps, about 18 minutes to go")]


def test_of_short_epochs_the_first_is_measured(clock: Clock) -> None:
    recipe = with_settings(Recipe(name="x"), ["epochs=101", "batch_size=10", "image_size=32"])
    measure = Duration(recipe, 3, num_validation=0)
    assert told(clock, measure, [5, 0.1, 0.1, 9]) == [(2, "101 epochs of 3 steps, about 30 seconds to go")]


def test_a_run_that_goes_on_tells_the_rest(clock: Clock) -> None:
    recipe = with_settings(Recipe(name="x"), ["epochs=5", "batch_size=10", "image_size=32"])
    measure = Duration(recipe, 4, num_validation=0)
    lines = told(clock, measure, [9, 1, 1, 1], first_step=16)
    assert lines == [(18, "5 epochs, 4 of them done, of 4 steps, about a second to go")]


def test_small_pictures_of_the_first_epochs_cost_less(clock: Clock) -> None:
    recipe = with_settings(
        Recipe(name="x"), ["epochs=3", "image_size=64", "small_epochs=1", "small_image_size=32", "batch_size=10"]
    )
    measure = Duration(recipe, 10, num_validation=0)
    # 1 s a step on small pictures is 4 s on the others: 7 s and 80 s
    assert told(clock, measure, [9, 1, 1]) == [(2, "3 epochs of 10 steps, about 87 seconds to go")]


def test_pictures_grow_by_equal_amounts_in_equal_parts() -> None:
    recipe = Recipe(name="x", image_size=224, small_epochs=6, small_image_size=128, small_sizes=3)
    assert [recipe.small_size(epoch) for epoch in range(8)] == [128, 128, 160, 160, 192, 192, None, None]
    assert Recipe(name="x", image_size=32, small_epochs=1).small_size(0) == 24
    more = Recipe(name="x", image_size=32, small_epochs=2, small_image_size=16, small_sizes=4)
    assert [more.small_size(epoch) for epoch in range(3)] == [16, 24, None]


def test_one_step_an_epoch(clock: Clock) -> None:
    recipe = with_settings(Recipe(name="x"), ["epochs=4", "image_size=64", "batch_size=10"])
    assert told(clock, Duration(recipe, 1, num_validation=0), [9, 2]) == [
        (1, "4 epochs of 1 step, about 4 seconds to go")
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about a second"),
        (40.4, "about 40 seconds"),
        (95, "about 2 minutes"),
        (5000, "about 83 minutes"),
        (9000, "about 2 hours"),
        (200_000, "about 2 days"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_the_speed_leaves_out_the_first_batch(clock: Clock) -> None:
    speed = Speed()
    found = []
    for seen, passed in ((8, 9.0), (16, 2.0), (24, 2.0)):
        clock.now += passed
        found.append(speed.after(seen))
    assert found == [None, 4.0, 4.0]


def test_the_time_left_follows_the_speed(clock: Clock) -> None:
    recipe = with_settings(Recipe(name="x"), ["epochs=4", "image_size=64", "batch_size=10"])
    measure = Duration(recipe, 10, num_validation=0)
    found = []
    for step, passed in ((0, 9.0), (1, 6.0), (19, 54.0)):
        clock.now += passed
        measure.after_step(step)
        found.append(measure.minutes_left(step))
    # 38 steps of 6 s; then 20 of 60 / 19
    assert found == [None, pytest.approx(3.8), pytest.approx(20 / 19)]
