"""Samples that are held out."""

import random
from collections import Counter
from pathlib import Path

import pytest

from regnety.datasets.samples import Sample
from regnety.datasets.splitting import groups_of, hold_out


def samples_of(**counts: int) -> tuple[Sample, ...]:
    return tuple(Sample(Path(label, f"{n}.jpg"), label) for label, count in counts.items() for n in range(count))


@pytest.mark.parametrize(
    ("fraction", "held"),
    [
        (0.1, {"many": 10, "some": 2, "three": 1, "two": 1}),
        (0.5, {"many": 50, "some": 10, "three": 2, "two": 1}),
        (0.01, {"many": 1, "some": 1, "three": 1, "two": 1}),
    ],
)
def test_the_same_share_of_every_class_is_held_out(fraction: float, held: dict[str, int]) -> None:
    samples = samples_of(many=100, some=20, three=3, two=2, one=1)
    kept, out = hold_out(samples, fraction, seed=0)
    assert Counter(sample.label for sample in out) == held
    assert sorted((*kept, *out), key=str) == sorted(samples, key=str)
    assert not set(kept) & set(out)
    assert {sample.label for sample in kept} == {"many", "some", "three", "two", "one"}


def test_what_is_held_out_depends_on_the_seed_alone() -> None:
    samples = samples_of(a=50, b=50)
    first = hold_out(samples, 0.2, seed=1)
    assert first == hold_out(samples, 0.2, seed=1)
    assert first != hold_out(samples, 0.2, seed=2)


def test_groups_stay_together_and_shares_stay_near() -> None:
    """60 persons of 1 to 9 photographs each, of ten classes: a tenth is held out, in whole persons."""
    draw = random.Random(0)
    samples, near = [], []
    for person in range(60):
        for number in range(draw.randint(1, 9)):
            label = str(draw.randrange(10))
            samples.append(Sample(Path(f"{person}-{number}.jpg"), label, group=f"p{person}" if person % 2 else None))
            near.append(None if person % 2 else person)
    kept, out = hold_out(samples, 0.2, seed=3, groups=near)
    assert not {sample.image.name.split("-")[0] for sample in kept} & {
        sample.image.name.split("-")[0] for sample in out
    }
    assert abs(len(out) / len(samples) - 0.2) < 0.05
    assert {sample.label for sample in out} == {sample.label for sample in kept} == set(map(str, range(10)))
    assert (kept, out) == hold_out(samples, 0.2, seed=3, groups=near)
    assert sorted((*kept, *out), key=str) == sorted(samples, key=str)


def test_near_duplicates_of_two_groups_join_them() -> None:
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2], group=group) for n, group in enumerate("xxyyzz")]
    assert groups_of(samples) == [0, 0, 2, 2, 4, 4]
    assert groups_of(samples, [None, 7, 7, None, None, None]) == [0, 0, 0, 0, 4, 4]


def test_groups_of_one_change_nothing() -> None:
    samples = samples_of(a=50, b=30)
    assert hold_out(samples, 0.2, seed=1, groups=range(80)) == hold_out(samples, 0.2, seed=1)


def test_what_is_within_one_group_is_not_held_out() -> None:
    alone = tuple(Sample(Path(f"{n}.jpg"), "alone", group="g") for n in range(9))
    two = tuple(Sample(Path(f"{n}.png"), "two", group=str(n < 8)) for n in range(9))
    kept, out = hold_out((*alone, *two), 0.1, seed=0)
    assert out == two[8:]
    assert len(kept) == 17
