"""What moves the weights: schedule, averaged weights, weight decay, normalisation."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from bundles import SMALL_DESIGN
from regnety.network.creation import create_model
from regnety.training.optimization import (
    InputNormalization,
    WeightAverage,
    make_optimizer,
    make_schedule,
    set_lr,
)
from regnety.training.recipes.recipe import Optimizer, Recipe


def recipe(epochs: int, warmup_epochs: float, lr: float = 2.0) -> Recipe:
    return Recipe(name="test", epochs=epochs, warmup_epochs=warmup_epochs, optimizer=Optimizer(lr=lr))


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


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.mark.parametrize("everything", [True, False])
def test_weight_decay_reaches_norms_and_biases_if_asked(everything: bool) -> None:
    network = small_network()
    optimizer = make_optimizer(network, Optimizer(weight_decay=0.25, decay_norms_and_biases=everything))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: decay.pop(id(parameter)) for name, parameter in network.named_parameters()}
    assert decay == {}
    vectors = 0.25 if everything else 0.0
    assert found == {"0.weight": 0.25, "0.bias": vectors, "1.weight": vectors, "1.bias": vectors}


def test_layers_below_the_classifier_learn_more_slowly() -> None:
    network = create_model(SMALL_DESIGN.architecture(3))
    optimizer = make_optimizer(network, Optimizer(layer_decay=0.5))
    set_lr(optimizer, 8.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: rates.pop(id(parameter)) for name, parameter in network.named_parameters()}
    assert rates == {}
    blocks = [block.name for block in network.architecture.blocks]
    for name, rate in found.items():
        layer = next((number for number, block in enumerate(blocks) if name.startswith(f"{block}.")), None)
        above = {"stem": len(blocks) + 1, "head": 0}.get(name.split(".")[0])
        assert rate == 8.0 * 0.5 ** (len(blocks) - layer if layer is not None else above), name


def test_a_checkpoint_of_an_earlier_release_has_no_shares_of_the_learning_rate() -> None:
    optimizer = make_optimizer(small_network(), Optimizer())
    for group in optimizer.param_groups:
        del group["lr_share"]
    set_lr(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


def test_nesterov_momentum_against_a_hand_computation() -> None:
    parameter = nn.Parameter(torch.tensor([[1.0]]))
    model = nn.Module()
    model.weight = parameter
    optimizer = make_optimizer(model, Optimizer(lr=1.0, momentum=0.9, weight_decay=0.5))
    value, velocity = 1.0, None
    for lr, gradient in ((0.1, 2.0), (0.2, -1.0), (0.05, 3.0)):
        parameter.grad = torch.tensor([[gradient]])
        set_lr(optimizer, lr)
        optimizer.step()
        decayed = gradient + 0.5 * value
        velocity = decayed if velocity is None else 0.9 * velocity + decayed
        value -= lr * (decayed + 0.9 * velocity)
        assert parameter.item() == pytest.approx(value, rel=1e-5)


def test_averaged_weights_against_a_hand_computation() -> None:
    network = small_network()
    average = WeightAverage(network, decay=0.5)
    expected = {key: value.double().numpy().copy() for key, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for update in range(1, 21):
        with torch.no_grad():
            for value in network.state_dict().values():
                if value.is_floating_point():
                    value.normal_(generator=generator)
                else:
                    value += 3
        average.update(network)
        decay = min(0.5, (1 + update) / (10 + update))
        for key, value in network.state_dict().items():
            new = value.double().numpy()
            expected[key] = decay * expected[key] + (1 - decay) * new if value.is_floating_point() else new
    assert average.updates == 20
    assert average.state.keys() == expected.keys()
    for key, value in average.state.items():
        np.testing.assert_allclose(value.numpy(), expected[key], rtol=1e-4, atol=1e-6, err_msg=key)
    assert average.state["1.num_batches_tracked"].item() == 60


def test_the_average_is_a_copy() -> None:
    network = small_network()
    average = WeightAverage(network, decay=0.999)
    before = average.state["0.weight"].clone()
    with torch.no_grad():
        network[0].weight.zero_()
    torch.testing.assert_close(average.state["0.weight"], before)


def test_normalisation_and_small_pictures() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    normalize = InputNormalization((0.1, 0.5, 0.9), (0.2, 0.5, 1.0))
    images = normalize(torch.from_numpy(pixels))
    expected = ((pixels / 255 - [0.1, 0.5, 0.9]) / [0.2, 0.5, 1.0]).transpose(0, 3, 1, 2)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(images, expected, atol=1e-5)
    small = normalize(torch.from_numpy(pixels), 8)
    assert small.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(small.mean((2, 3)), images.mean((2, 3)), atol=0.05)
