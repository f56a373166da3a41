"""The recipe of the paper beside pycls's arithmetic, written down here a second time from pycls's own functions."""

import numpy as np
import pytest
import torch

from bundles import SMALL_DESIGN
from regnety.network.creation import create_model
from regnety.training.optimisation.optimizers import make_optimizer, set_lr
from regnety.training.optimisation.schedules import make_schedule
from regnety.training.optimisation.weight_average import WeightAverage, new_share
from regnety.training.recipes.named_recipes import load_recipe, paper, population

SIZES = {  # pycls's configs, dds_baselines: BASE_LR and BATCH_SIZE of RegNetX and RegNetY, in hundreds of MF
    (0.8, 1024): {"x": (2, 4, 6, 8, 16), "y": (2, 4, 6, 8, 16)},
    (0.4, 512): {"x": (32, 40, 64, 80, 120, 160), "y": (32, 40, 64, 80, 120)},
    (0.2, 256): {"x": (320,), "y": (160, 320)},
}
OURS = {
    f"regnet{kind}_{size:03d}": values
    for values, models in SIZES.items()
    for kind, sizes in models.items()
    for size in sizes
}


def pycls_lr(epoch: int, base: float, epochs: int, warmup: int) -> float:
    """pycls's `get_epoch_lr` with `lr_fun_cos`; WARMUP_FACTOR 0.1, MIN_LR 0."""
    lr = 0.5 * (1.0 + np.cos(np.pi * epoch / epochs)) * base
    if epoch < warmup:
        alpha = epoch / warmup
        lr *= 0.1 * (1.0 - alpha) + alpha
    return float(lr)


@pytest.mark.parametrize("model", OURS)
def test_learning_rate_and_batch_of_every_model_of_the_paper(model: str) -> None:
    recipe = paper(model)
    assert (recipe.optimizer.lr, recipe.batch_size) == OURS[model]


def test_any_name_of_a_model_and_none() -> None:
    assert len(OURS) == 24
    assert load_recipe("paper", "RegNetY-16GF").batch_size == 256
    assert load_recipe("paper", "regnety_160.pycls_in1k").optimizer.lr == 0.2
    assert load_recipe("paper", "regnety_cifar10") == load_recipe("paper", "runs/mine") == load_recipe("paper")
    assert (paper().batch_size, paper().optimizer.lr) == (1024, 0.8)


@pytest.mark.parametrize(
    ("recipe", "base", "epochs", "warmup"),
    [(paper("regnety_040"), 0.4, 100, 5), (population(), 0.1, 10, 1)],
    ids=["paper", "population"],
)
def test_learning_rate_of_every_step(recipe: object, base: float, epochs: int, warmup: int) -> None:
    schedule = make_schedule(recipe, 7)  # type: ignore[arg-type]
    found = [schedule(step) for step in range(7 * epochs)]
    expected = [pycls_lr(epoch, base, epochs, warmup) for epoch in range(epochs) for _ in range(7)]
    assert found == pytest.approx(expected, rel=1e-12)


def test_figures_of_the_learning_rate() -> None:
    """By hand, for 0.8: 0.1 of it at first, then 0.28 of the cosine of epoch 1, all of it at epoch 50."""
    schedule = make_schedule(paper("regnety_002"), 1)
    found = [schedule(epoch) for epoch in (0, 1, 4, 5, 50, 99)]
    assert found == pytest.approx([0.08, 0.22394473, 0.65341362, 0.79507534, 0.4, 0.00019738], abs=5e-9)


@pytest.mark.parametrize(("recipe", "share"), [(paper(), 1e-5 * 1024 / 100 * 32), (population(), 1e-5 * 128 / 10 * 32)])
def test_averaged_weights(recipe: object, share: float) -> None:
    """pycls's `update_model_ema`, called after each step with the numbers of the epoch and of the step in it."""
    steps, epochs = 70, 8
    network = create_model(SMALL_DESIGN.architecture(3)).double()
    shares = new_share(recipe, steps)  # type: ignore[arg-type]
    assert shares is not None
    average = WeightAverage(network, shares)
    expected = {key: value.double().clone() for key, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        for step in range(steps):
            with torch.no_grad():
                for value in network.parameters():
                    value.add_(torch.randn(value.shape, generator=generator, dtype=torch.float64), alpha=0.1)
            average.update(network, epoch * steps + step)
            if step % 32:
                continue
            alpha = 1.0 if epoch < recipe.warmup_epochs else min(1.0, share)  # type: ignore[attr-defined]
            for key, value in network.state_dict().items():
                expected[key] = expected[key] * (1.0 - alpha) + value.double() * alpha
    for key, value in average.state.items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-9, atol=1e-12, err_msg=key)


def test_decay_reaches_every_parameter() -> None:
    """torch's SGD as pycls makes it: velocity = 0.9 velocity + g, weight -= lr (g + 0.9 velocity), g with the decay."""
    network = create_model(SMALL_DESIGN.architecture(3)).double()
    optimizer = make_optimizer(network, paper().optimizer)
    expected = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
    velocity = dict.fromkeys(expected, 0.0)
    generator = np.random.default_rng(0)
    for lr in (0.08, 0.8, 0.4):
        set_lr(optimizer, lr)
        for name, parameter in network.named_parameters():
            gradient = generator.standard_normal(parameter.shape)
            parameter.grad = torch.from_numpy(gradient)
            gradient = gradient + 5e-5 * expected[name]
            velocity[name] = 0.9 * velocity[name] + gradient
            expected[name] = expected[name] - lr * (gradient + 0.9 * velocity[name])
        optimizer.step()
    for name, parameter in network.named_parameters():
        np.testing.assert_allclose(parameter.detach(), expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_precise_statistics_take_8192_pictures() -> None:
    assert [paper(model).precise_bn_samples // paper(model).batch_size for model in (None, "regnety_320")] == [8, 32]
    assert population().precise_bn_samples // population().batch_size == 64
    assert paper().initialization == population().initialization == "pycls"
    assert paper().label_smoothing == population().label_smoothing == 0
    assert (paper().augmentation.min_area, paper().augmentation.lighting, paper().augmentation.crop) == (
        0.08,
        0.1,
        "pycls",
    )
