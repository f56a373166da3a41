"""Batches: the same seed and epoch give the same pictures, changed as the augmentation says and no further."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from designs import examples
from pictures import noise, photograph, write_colours
from regnety import DataError, ImageError, Preprocessing
from regnety.datasets.folders import read_class_folders
from regnety.datasets.samples import Sample
from regnety.images.pixels import load_pixels
from regnety.training import batches, kept_pictures
from regnety.training.batch_plan import Batch
from regnety.training.batches import EvaluationBatches, training_batches
from regnety.training.crop_boxes import random_boxes
from regnety.training.distribution import workers
from regnety.training.recipes.recipe import Augmentation

SIDE = 32
SMALL = Preprocessing(image_size=SIDE, crop_pct=1.0)
SHIFT = Augmentation(crop="shift", shift=3)
RESIZED = Augmentation(crop="resized", min_area=0.25)


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    return read_class_folders(write_colours(tmp_path, count=7))


@pytest.fixture
def coordinates(tmp_path: Path) -> tuple[Sample, ...]:
    """Eight pictures whose red says the column, green the row, blue the picture."""
    samples = []
    for number in range(8):
        rows, columns = np.mgrid[:SIDE, :SIDE]
        pixels = np.stack([columns, rows, np.full_like(rows, number)], -1).astype(np.uint8)
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(path)
        samples.append(Sample(path, "even" if number % 2 == 0 else "odd"))
    return tuple(samples)


def one_epoch(samples: tuple[Sample, ...], augmentation: Augmentation, **options: Any) -> list[Batch]:
    classes = sorted({sample.label for sample in samples})
    options = {"batch_size": 4, "seed": 0, "epoch": 0, "preprocessing": SMALL, **options}
    epoch, preprocessing = options.pop("epoch"), options.pop("preprocessing")
    made = training_batches(samples, classes, preprocessing, augmentation, quiet=True, **options)
    found = list(made.epoch(epoch))
    assert len(found) == made.steps_per_epoch
    return found


def same(first: list[Batch], second: list[Batch]) -> bool:
    pairs = itertools.zip_longest(itertools.chain(*first), itertools.chain(*second))
    return all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_batches_depend_on_seed_and_epoch_alone(
    augmentation: Augmentation, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = one_epoch(samples, augmentation, seed=5, epoch=2)
    assert same(first, one_epoch(samples, augmentation, seed=5, epoch=2))
    assert not same(first, one_epoch(samples, augmentation, seed=5, epoch=3))
    assert not same(first, one_epoch(samples, augmentation, seed=6, epoch=2))
    monkeypatch.setattr(workers, "available_cores", lambda: 7)
    assert same(first, one_epoch(samples, augmentation, seed=5, epoch=2))


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_shapes_and_types(augmentation: Augmentation, samples: tuple[Sample, ...]) -> None:
    found = one_epoch(samples, augmentation, batch_size=4)
    assert len(found) == 21 // 4
    for pixels, targets in found:
        assert (pixels.shape, pixels.dtype) == ((4, SIDE, SIDE, 3), np.uint8)
        assert (targets.shape, targets.dtype) == ((4,), np.int64)
        for picture, target in zip(pixels, targets, strict=True):
            assert picture.mean((0, 1)).argmax() == {0: 2, 1: 1, 2: 0}[int(target)]  # blue, green, red


def test_a_batch_is_at_most_all_pictures(samples: tuple[Sample, ...]) -> None:
    ((pixels, _),) = one_epoch(samples, SHIFT, batch_size=1000)
    assert len(pixels) == 21


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_every_picture_comes_once_an_epoch(augmentation: Augmentation, coordinates: tuple[Sample, ...]) -> None:
    orders = []
    for epoch in range(3):
        found = one_epoch(coordinates, augmentation, batch_size=2, epoch=epoch)
        blue = [int(picture[0, 0, 2]) for pixels, _ in found for picture in pixels]
        assert sorted(blue) == list(range(8))
        assert [int(target) for _, targets in found for target in targets] == [number % 2 for number in blue]
        orders.append(blue)
    assert orders[0] != orders[1] != orders[2]


def shifted(augmentation: Augmentation, coordinates: tuple[Sample, ...]) -> Iterator[tuple[int, int, bool]]:
    """(down, right, flipped) of every picture over some epochs, after a check that it is nothing else."""
    for epoch in range(20):
        for pixels, _ in one_epoch(coordinates, augmentation, epoch=epoch):
            for picture in pixels:
                columns, rows = picture[..., 0].astype(int), picture[..., 1].astype(int)
                middle = SIDE // 2
                flipped = bool(columns[0, middle] > columns[0, middle + 1])
                down = int(rows[middle, 0]) - middle
                right = int(columns[0, SIDE - 1 - middle if flipped else middle]) - middle
                wanted = mirrored(np.arange(SIDE) + right)
                assert np.array_equal(columns, np.broadcast_to(wanted[::-1] if flipped else wanted, columns.shape))
                assert np.array_equal(rows, np.broadcast_to(mirrored(np.arange(SIDE) + down)[:, None], rows.shape))
                yield down, right, flipped


def mirrored(positions: np.ndarray) -> np.ndarray:
    """Outside of the picture its border is mirrored, without repeating the outermost pixel."""
    return (SIDE - 1) - np.abs((SIDE - 1) - np.abs(positions))


def test_shift_moves_by_up_to_shift_pixels_and_flips_half(coordinates: tuple[Sample, ...]) -> None:
    moves = list(shifted(SHIFT, coordinates))
    assert {down for down, _, _ in moves} == {right for _, right, _ in moves} == set(range(-3, 4))
    assert 0.35 < np.mean([flipped for _, _, flipped in moves]) < 0.65


def test_without_shift_and_flip_the_picture_is_as_it_was(coordinates: tuple[Sample, ...]) -> None:
    still = Augmentation(crop="shift", shift=0, flip=False)
    assert set(shifted(still, coordinates)) == {(0, 0, False)}


@pytest.mark.parametrize("flip", [True, False])
def test_a_resized_crop_is_a_flipped_part_of_the_picture(flip: bool, coordinates: tuple[Sample, ...]) -> None:
    flipped = []
    for epoch in range(10):
        for pixels, _ in one_epoch(coordinates, Augmentation(crop="resized", min_area=0.5, flip=flip), epoch=epoch):
            for picture in pixels.astype(int):
                rows, columns = picture[..., 1], picture[..., 0]
                assert (np.diff(rows, axis=0) >= 0).all()
                assert (np.ptp(rows, 1) <= 1).all()
                flipped.append(bool(columns[0, 0] > columns[0, -1]))
                across = columns[:, ::-1] if flipped[-1] else columns
                assert (np.diff(across, axis=1) >= 0).all()
                area = (np.ptp(rows[:, 0]) + 1) * (np.ptp(across[0]) + 1) / SIDE**2
                assert 0.4 < area <= 1
    assert 0.3 < np.mean(flipped) < 0.7 if flip else not any(flipped)


@examples(300)
@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.floats(0.01, 1),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
)
def test_a_random_box_is_inside_the_picture(width: int, height: int, min_area: float, numbers: list[float]) -> None:
    left, top, right, bottom = random_boxes(width, height, min_area, np.array(numbers))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    area = (right - left) * (bottom - top)
    assert area <= width * height * (1 + 1e-9)
    if right - left < width and bottom - top < height:
        wanted = (min_area + (1 - min_area) * numbers[0]) * width * height
        assert area == pytest.approx(wanted, rel=1e-6)
        assert 3 / 4 - 1e-6 <= (right - left) / (bottom - top) <= 4 / 3 + 1e-6


def test_random_boxes_are_spread_as_they_should_be() -> None:
    generator = np.random.default_rng(0)
    boxes = np.array([random_boxes(100, 100, 0.08, row) for row in generator.random((4000, 4))])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    areas, aspects = widths * heights / 1e4, np.log(widths / heights)
    assert areas.min() == pytest.approx(0.08, abs=0.01)
    assert areas.max() > 0.95
    assert areas.mean() == pytest.approx(0.54, abs=0.03)
    assert aspects.mean() == pytest.approx(0, abs=0.02)
    assert np.abs(aspects).max() <= math.log(4 / 3) + 1e-9
    assert ((boxes[:, 0] + boxes[:, 2]) / 2).mean() == pytest.approx(50, abs=1)
    assert tuple(random_boxes(64, 48, 1.0, np.zeros(4))[:2]) == (0, 0)


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
@pytest.mark.parametrize("steps", [2, 5, 7])
def test_an_epoch_of_other_length_continues_the_pass(
    steps: int, augmentation: Augmentation, samples: tuple[Sample, ...]
) -> None:
    passes = [batch for epoch in range(3) for batch in one_epoch(samples, augmentation, epoch=epoch)]
    parts = [
        batch
        for epoch in range(len(passes) // steps)
        for batch in one_epoch(samples, augmentation, epoch=epoch, steps_per_epoch=steps)
    ]
    assert len(passes) == 15
    assert len(parts) == 15 // steps * steps
    assert same(parts, passes[: len(parts)])


def test_reduced_pictures_look_as_whole_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = []
    for number in range(8):
        photograph(200, 150, seed=number).save(tmp_path / f"{number}.png")
        samples.append(Sample(tmp_path / f"{number}.png", "even" if number % 2 == 0 else "odd"))
    whole = one_epoch(tuple(samples), RESIZED)
    reduced = replace(RESIZED, kept_side=64)
    found = one_epoch(tuple(samples), reduced)
    for (pixels, targets), (expected, expected_targets) in zip(found, whole, strict=True):
        np.testing.assert_array_equal(targets, expected_targets)
        assert np.abs(pixels.astype(int) - expected).mean() < 8  # grain, which the first reduction smooths
    assert same(one_epoch(tuple(samples), replace(RESIZED, kept_side=150)), whole)  # they are no larger
    monkeypatch.setattr(kept_pictures, "KEPT_LIMIT", 3 * 85 * 64 * 3)  # room for three: the others are decoded again
    assert same(one_epoch(tuple(samples), reduced), found)


def test_evaluation_pictures_are_decoded_once_where_they_are_small(
    samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = EvaluationBatches(samples, ["blue", "green", "red"], SMALL, batch_size=8)
    first = list(shown)
    monkeypatch.setattr(batches, "load_pixels", lambda *_: pytest.fail("decoded again"))
    assert same(list(shown), first)


def test_evaluation_shows_every_picture_in_order(samples: tuple[Sample, ...]) -> None:
    found = list(EvaluationBatches(samples, ["blue", "green", "red"], SMALL, batch_size=8))
    assert [len(targets) for _, targets in found] == [8, 8, 5]
    assert np.concatenate([targets for _, targets in found]).tolist() == [0] * 7 + [1] * 7 + [2] * 7
    expected = np.stack([load_pixels(sample.image, SMALL) for sample in samples])
    np.testing.assert_array_equal(np.concatenate([pixels for pixels, _ in found]), expected)


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_an_unreadable_picture_is_named(augmentation: Augmentation, samples: tuple[Sample, ...]) -> None:
    samples[9].image.write_bytes(b"")
    with pytest.raises(ImageError) as error:
        one_epoch(samples, augmentation)
    assert str(error.value) == f"{samples[9].image}: is empty"


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_orientation_is_applied_where_the_model_wants_it(augmentation: Augmentation, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, plain = tmp_path / "turned.png", tmp_path / "plain.png"
    noise(40, 50).transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    noise(40, 50).save(plain)
    for exif_orientation in (True, False):
        preprocessing = Preprocessing(image_size=SIDE, exif_orientation=exif_orientation)
        first, second = (
            one_epoch((Sample(path, "a"), Sample(path, "b")), augmentation, preprocessing=preprocessing)
            for path in (turned, plain)
        )
        assert same(first, second) is exif_orientation


def test_what_does_not_fit_into_memory_is_refused(samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_pictures, "MEMORY_LIMIT", 21 * SIDE * SIDE * 3 - 1)
    with pytest.raises(DataError, match=r"^21 pictures of 32 pixels take 0.0 GiB in memory, the limit is 4; use --set"):
        one_epoch(samples, SHIFT)
    one_epoch(samples, RESIZED)


def test_repeats_are_in_one_batch_and_changed_in_another_way_each_time(coordinates: tuple[Sample, ...]) -> None:
    repeated = Augmentation(crop="resized", min_area=0.3, repeats=4)
    seen: set[int] = set()
    for epoch in range(16):
        found = one_epoch(coordinates, repeated, batch_size=4, epoch=epoch)
        assert len(found) == 2  # as without repeats
        for pixels, _ in found:
            (blue,) = {int(picture[0, 0, 2]) for picture in pixels}
            assert len({picture.tobytes() for picture in pixels}) == 4
            seen.add(blue)
    assert seen == set(range(8))


@pytest.mark.parametrize("crop", ["shift", "resized"])
def test_an_operation_comes_after_the_crop_that_the_picture_has_without(
    crop: Any, coordinates: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Augmentation(crop=crop)
    changed = replace(plain, operations="trivial")
    before = one_epoch(coordinates, plain)
    assert same(one_epoch(coordinates, changed), one_epoch(coordinates, changed))
    assert not same(one_epoch(coordinates, changed), before)
    monkeypatch.setattr(batches, "trivial_augment", lambda image, numbers: image)
    assert same(one_epoch(coordinates, changed), before)
