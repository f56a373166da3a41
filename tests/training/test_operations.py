"""TrivialAugment: each operation is torchvision's, and all are drawn equally often."""

from typing import Any

import numpy as np
import pytest

from pictures import photograph
from regnety.training.operations import OPERATIONS, STRENGTHS, trivial_augment

PICTURE = photograph(97, 64, seed=3)


def test_operations_and_strengths_are_drawn_equally_often(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, float, float]] = []
    for name in OPERATIONS:

        def record(image: Any, strength: float, sign: float, name: str = name) -> Any:
            drawn.append((name, strength, sign))
            return image

        monkeypatch.setitem(OPERATIONS, name, record)
    for numbers in np.random.default_rng(0).random((14_000, 3)):
        trivial_augment(PICTURE, numbers)
    names, strengths, signs = zip(*drawn, strict=True)
    assert min(names.count(name) for name in OPERATIONS) > 850  # 1,000 are expected, with a deviation of 30
    assert sorted(set(strengths)) == pytest.approx(np.linspace(0, 1, STRENGTHS))
    assert min(strengths.count(strength) for strength in set(strengths)) > 340  # 452, 21
    assert 6700 < signs.count(1.0) < 7300


@pytest.mark.parametrize("number", range(len(OPERATIONS)))
def test_the_last_number_below_one_is_within_the_tables(number: int) -> None:
    just_below = np.nextafter(1, 0)
    changed = trivial_augment(PICTURE, np.array([(number + 0.5) / len(OPERATIONS), just_below, just_below]))
    assert (changed.size, changed.mode) == (PICTURE.size, "RGB")
    if list(OPERATIONS)[number] != "identity":
        assert not np.array_equal(np.asarray(changed), np.asarray(PICTURE))


def test_they_are_torchvisions(torchvision: Any) -> None:
    from torchvision.transforms import InterpolationMode, autoaugment

    space = autoaugment.TrivialAugmentWide()._augmentation_space(STRENGTHS)
    assert len(space) == len(OPERATIONS)
    for (theirs, (strengths, signed)), (ours, operation) in zip(space.items(), OPERATIONS.items(), strict=True):
        # Not the half: there the largest move of 32 is 16, and torch's float32 a little less, of which 15 pixels stay.
        for step in (0, 1, 7, 14, 22, 30):
            for sign in (1.0, -1.0) if signed else (1.0,):
                strength = float(strengths[step]) * sign if strengths.ndim else 0.0
                wanted = autoaugment._apply_op(PICTURE, theirs, strength, InterpolationMode.BILINEAR, None)
                found = operation(PICTURE, step / (STRENGTHS - 1), sign)
                difference = np.abs(np.asarray(found).astype(int) - np.asarray(wanted))
                # A pixel on the border may be just inside or outside: the strengths differ by the rounding of float32.
                assert (difference > 1).mean() < 0.02 if "shear" in ours else difference.max() <= 1, (ours, step, sign)
