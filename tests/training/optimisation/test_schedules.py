"""The learning rate of each step."""

import math

import pytest
import torch

from regnety.training.optimisation.schedules import make_schedule
from regnety.training.recipes.optimizer import Optimizer
from regnety.training.recipes.recipe import Recipe


def recipe(epochs: int, warmup_epochs: float, lr: float = 2.0, **fields: str) -> Recipe:
    return Recipe(name="test", epochs=epochs, warmup_epochs=warmup_epochs, optimizer=Optimizer(lr=lr), **fields)


def test_the_schedule_warms_up_and_follows_half_a_cosine() -> None:
    schedule = make_schedule(recipe(epochs=100, warmup_epochs=5), steps_per_epoch=10)
    cosine = [2.0 * 0.5 * (1 + math.cos(math.pi * step / 1000)) for step in range(1000)]
    assert schedule(0) == pytest.approx(0.1 * 2.0)
    assert schedule(25) == pytest.approx(0.55 * cosine[25])
    assert schedule(49) == pytest.approx((0.1 + 0.9 * 49 / 50) * cosine[49])
    assert [schedule(step) for step in range(50, 1000)] == pytest.approx(cosine[50:])
    assert schedule(500) == pytest.approx(1.0)
    assert 0 < schedule(999) < 1e-4


def test_the_warm_up_takes_at_most_a_fifth() -> None:
    schedule = make_schedule(recipe(epochs=2, warmup_epochs=5), steps_per_epoch=10)
    rates = [schedule(step) for step in range(20)]
    cosine = [2.0 * 0.5 * (1 + math.cos(math.pi * step / 20)) for step in range(20)]
    warmup = [0.1, 0.325, 0.55, 0.775]
    assert rates[:4] == pytest.approx([w * c for w, c in zip(warmup, cosine, strict=False)])
    assert rates[4:] == pytest.approx(cosine[4:])


@pytest.mark.parametrize("epochs", [1, 3])
def test_no_warm_up(epochs: int) -> None:
    assert make_schedule(recipe(epochs=epochs, warmup_epochs=0), steps_per_epoch=7)(0) == 2.0


def test_once_an_epoch() -> None:
    fields = {"epochs": 10, "warmup_epochs": 2, "schedule": "linear"}
    each, once = (make_schedule(recipe(**fields, schedule_unit=unit), 7) for unit in ("step", "epoch"))
    assert [once(step) for step in range(70)] == [each(step - step % 7) for step in range(70)]
    assert [once(7 * epoch) for epoch in range(4)] == pytest.approx([0.2, 0.55 * 1.8, 1.6, 1.4])


def test_steps_of_a_tenth() -> None:
    schedule = make_schedule(recipe(epochs=100, warmup_epochs=0, schedule="step"), 1)
    assert [schedule(step) for step in (0, 29, 30, 59, 60, 89, 90, 99)] == pytest.approx(
        [2, 2, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002]
    )


def test_one_cycle_is_torchs() -> None:
    schedule = make_schedule(recipe(epochs=10, warmup_epochs=5, schedule="one-cycle"), 100)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2.0, total_steps=1000, cycle_momentum=False)
    for step in range(1000):
        # torch's last step is the end of the cycle, ours is one before it, as in every other schedule here
        assert schedule(step) == pytest.approx(reference.get_last_lr()[0], abs=0.01)
        optimizer.step()
        reference.step() if step < 999 else None
    assert (schedule(0), schedule(300)) == pytest.approx((0.08, 2.0))
