"""Crops of the paper's code: the distribution of pycls's loop, written down again one draw at a time."""

import math

import numpy as np
import pytest

from regnety.training.crop_boxes import NUMBERS, crop_boxes, pycls_boxes
from regnety.training.recipes.recipe import Augmentation


def one_by_one(width: int, height: int, min_area: float, generator: np.random.Generator) -> tuple[float, ...]:
    for _ in range(10):
        area = generator.uniform(min_area, 1) * width * height
        aspect = generator.uniform(3 / 4, 4 / 3)
        across, down = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if generator.random() < 0.5:
            across, down = down, across
        if down <= height and across <= width:
            top = 0 if down == height else int(generator.integers(0, height - down))
            left = 0 if across == width else int(generator.integers(0, width - across))
            return left, top, left + across, top + down
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


@pytest.mark.parametrize("size", [(500, 375), (60, 90), (400, 40)])
def test_boxes_are_distributed_as_in_pycls(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    numbers = generator.random((NUMBERS["pycls"], 4000))
    ours = crop_boxes(*size, Augmentation(crop="pycls", min_area=0.08), numbers)
    theirs = np.array([one_by_one(*size, 0.08, generator) for _ in range(4000)]).T
    for own, other in zip(ours, theirs, strict=True):
        values = np.sort(np.concatenate([own, other]))
        shares = [np.searchsorted(np.sort(each), values, side="right") / 4000 for each in (own, other)]
        assert np.abs(shares[0] - shares[1]).max() < 0.045  # further apart in one case of 3,300
    assert (ours[:2] >= 0).all()
    assert (ours[2] <= size[0]).all()
    assert (ours[3] <= size[1]).all()
    assert (ours[2:] > ours[:2]).all()


def test_one_picture_has_the_box_that_it_has_among_others() -> None:
    numbers = np.random.default_rng(2).random((NUMBERS["pycls"], 3))
    together = pycls_boxes(120, 80, 0.2, numbers)
    for number in range(3):
        assert pycls_boxes(120, 80, 0.2, numbers[:, number]).tolist() == together[:, number].tolist()


def test_a_picture_into_which_nothing_fits_gives_its_middle() -> None:
    assert pycls_boxes(1000, 10, 0.9, np.full(NUMBERS["pycls"], 0.5)).tolist() == [495, 0, 505, 10]
