"""A stem that begins with principal components: uncorrelated outputs, the same for any number of workers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pictures import write_colours
from regnety import Design, Preprocessing, RecipeError, create_model
from regnety.network.modules import RegNet
from regnety.training.batch_plan import EpochPlan
from regnety.training.batches import TrainingBatches
from regnety.training.device_batches import ShiftedOnDevice
from regnety.training.devices import Device
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.input_normalization import InputNormalization
from regnety.training.kept_pictures import padded_pixels
from regnety.training.recipes.recipe import Augmentation, Recipe
from regnety.training.stem_whitening import whiten_stem
from runs import run, weights_of

SEEN = Preprocessing(image_size=16, crop_pct=1.0)


def network(stem_width: int = 32, stem_stride: int = 2) -> RegNet:
    design = Design(depth=2, w0=16, wa=8.0, wm=2.0, group_width=8, stem_width=stem_width, stem_stride=stem_stride)
    return create_model(design, num_classes=2, generator=torch.Generator().manual_seed(0))


def textures(count: int = 240) -> np.ndarray:
    """Smooth noise, whose neighbouring pixels and colours are alike, as in photographs."""
    generator = np.random.default_rng(5)
    noise = generator.normal(size=(count, 16, 16, 3)) + 2 * generator.normal(size=(count, 16, 16, 1))
    smooth = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + np.roll(noise, 2, 2)
    return np.clip(120 + 22 * smooth, 0, 255).astype(np.uint8)


def batches_of(pixels: np.ndarray, workers: Workers = ALONE) -> TrainingBatches:
    augmentation = Augmentation(crop="shift", shift=0, flip=False)
    plan = EpochPlan(len(pixels), 60, 0, None, workers)
    targets = np.zeros(len(pixels), np.int64)
    return ShiftedOnDevice(padded_pixels(pixels, 0), targets, augmentation, plan, Device("cpu"))


def responses(model: RegNet, pixels: np.ndarray) -> torch.Tensor:
    """What the stem's convolution answers inside the border: float64 [outputs, places]."""
    images = InputNormalization(SEEN.mean, SEEN.std, dtype=torch.float64)(torch.from_numpy(pixels))
    convolution = model.stem.conv
    found = nn.functional.conv2d(images, convolution.weight.detach().double(), stride=convolution.stride)
    return found.transpose(0, 1).flatten(1)


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_the_outputs_are_uncorrelated_and_of_one_size_and_the_other_half_is_their_opposite(stem_stride: int) -> None:
    model, pixels = network(stem_stride=stem_stride), textures()
    before = responses(model, pixels)
    whiten_stem(model, batches_of(pixels), SEEN, epoch=0, workers=ALONE)
    found = responses(model, pixels)
    torch.testing.assert_close(found[16:], -found[:16])
    covariance = torch.cov(found[:16])
    torch.testing.assert_close(covariance, torch.eye(16, dtype=torch.float64), atol=0.05, rtol=0)
    assert (torch.corrcoef(before[:16]) - torch.eye(16)).abs().max() > 0.5


def test_components_stand_in_the_order_of_their_variance() -> None:
    model, pixels = network(stem_width=54), textures()
    whiten_stem(model, batches_of(pixels), SEEN, epoch=0, workers=ALONE)
    lengths = model.stem.conv.weight.detach()[:27].flatten(1).norm(dim=1)  # the inverse of a component's deviation
    assert (lengths.diff() > 0).all()


def test_outputs_beyond_all_components_keep_their_random_weights() -> None:
    model, untouched = network(stem_width=64), network(stem_width=64)
    whiten_stem(model, batches_of(textures()), SEEN, epoch=0, workers=ALONE)
    torch.testing.assert_close(model.stem.conv.weight[54:], untouched.stem.conv.weight[54:], atol=0, rtol=0)
    assert not torch.equal(model.stem.conv.weight[:54], untouched.stem.conv.weight[:54])
    for (name, value), (_, other) in zip(model.named_parameters(), untouched.named_parameters(), strict=True):
        assert name == "stem.conv.weight" or torch.equal(value, other)


def test_grey_and_black_pictures_give_finite_weights() -> None:
    grey = np.repeat(textures()[..., :1], 3, axis=-1)
    for pixels in (grey, np.zeros_like(grey)):
        model = network()
        whiten_stem(model, batches_of(pixels), SEEN, epoch=0, workers=ALONE)
        assert model.stem.conv.weight.isfinite().all()


def test_two_workers_find_the_same_weights_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of whole numbers are exact: those of the parts, added, are those of the whole."""
    pixels = textures()
    alone = network()
    whiten_stem(alone, batches_of(pixels), SEEN, epoch=0, workers=ALONE)
    sums: list[list[torch.Tensor]] = [[], []]
    for rank in (0, 1):
        workers = Workers(rank, 2, 2)
        monkeypatch.setattr(Workers, "sum", lambda self, values: sums[self.rank].append(values.clone()) or values)
        whiten_stem(network(), batches_of(pixels, workers), SEEN, epoch=0, workers=workers)
    assert not torch.equal(sums[0][1], sums[1][1])
    totals = iter([one + other for one, other in zip(*sums, strict=True)])
    monkeypatch.setattr(Workers, "sum", lambda self, values: values.copy_(next(totals)))
    shared = network()
    whiten_stem(shared, batches_of(pixels, Workers(0, 2, 2)), SEEN, epoch=0, workers=Workers(0, 2, 2))
    assert torch.equal(shared.stem.conv.weight, alone.stem.conv.weight)


def test_a_run_begins_with_it(tmp_path: Path) -> None:
    write_colours(tmp_path / "data" / "train", count=12)
    hashes = set()
    for value in ("true", "false"):
        run(tmp_path / "data", tmp_path / value, f"whitened_stem={value}", "epochs=1", "val_fraction=0")
        hashes.add(weights_of(tmp_path / value))
    assert len(hashes) == 2


def test_a_resumed_run_does_not_look_at_the_pictures_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_colours(tmp_path / "data" / "train", count=12)
    settings = ("whitened_stem=true", "val_fraction=0")
    run(tmp_path / "data", tmp_path / "run", *settings, "epochs=1")
    calls: list[object] = []
    monkeypatch.setattr("regnety.training.recipe_session.whiten_stem", lambda *_, **__: calls.append(1))
    run(tmp_path / "data", tmp_path / "run", *settings, "epochs=2", resume=True)
    assert not calls
    run(tmp_path / "data", tmp_path / "other", *settings, "epochs=1")
    assert calls


def test_a_pretrained_start_and_a_whitened_stem_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match=r"^whitened_stem is for random weights, and pretrained starts from"):
        Recipe(name="both", model="regnety_tiny", pretrained=True, whitened_stem=True)
