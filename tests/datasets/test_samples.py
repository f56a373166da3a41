"""Samples that are held out."""

from collections import Counter
from pathlib import Path

import pytest

from regnety.datasets.samples import Sample, hold_out


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
