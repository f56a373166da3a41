"""Optimisers: the parameters they treat alike, and each against a computation by hand or torch's own."""

import copy
import importlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bundles import SMALL_DESIGN
from regnety.network.creation import create_model
from regnety.training.optimisation.lamb import Lamb
from regnety.training.optimisation.muon import Muon, orthogonalised
from regnety.training.optimisation.optimizers import make_optimizer, set_lr
from regnety.training.recipes.optimizer import Optimizer


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


def gradients(shape: tuple[int, ...], count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


def test_lamb_against_a_hand_computation() -> None:
    parameters = [nn.Parameter(torch.full((3, 2), 0.5, dtype=torch.float64)), nn.Parameter(torch.zeros(2).double())]
    groups = [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:], "weight_decay": 0.0}]
    optimizer = Lamb(groups, lr=0.01, betas=(0.9, 0.99))
    expected = [parameter.detach().numpy().copy() for parameter in parameters]
    moments = [(0.0, 0.0), (0.0, 0.0)]
    for number, (matrix, vector) in enumerate(zip(gradients((3, 2), 4), gradients((2,), 4), strict=True), start=1):
        for parameter, gradient in zip(parameters, (matrix, vector), strict=True):
            parameter.grad = gradient
        optimizer.step()
        for place, gradient in enumerate((matrix.numpy(), vector.numpy())):
            first, second = moments[place]
            first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
            moments[place] = first, second
            update = (first / (1 - 0.9**number)) / (np.sqrt(second / (1 - 0.99**number)) + 1e-6)
            if place == 0:
                update = update + 0.1 * expected[0]
                update = update * np.linalg.norm(expected[0]) / np.linalg.norm(update)
            expected[place] = expected[place] - 0.01 * update
    for parameter, value in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(parameter.detach(), value, rtol=1e-10)


def test_an_orthogonalised_matrix_has_singular_values_of_about_one() -> None:
    for shape in ((3, 8, 20), (2, 20, 8), (1, 5, 5)):
        (matrices,) = gradients(shape, 1)
        found = orthogonalised(matrices)
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        within = left.mT @ found @ right.mT  # diagonal: the singular vectors are those of the matrix
        values = within.diagonal(dim1=-2, dim2=-1)
        # An exact property of the polynomial; a square matrix has a smallest value near 0, which takes more steps.
        assert values.max() < 1.3
        assert shape[1] == shape[2] or values.min() > 0.6
        torch.testing.assert_close(within, torch.diag_embed(values), atol=1e-8, rtol=0)


def test_muon_of_a_1x1_convolution_is_torchs() -> None:
    start = gradients((6, 10), 6)
    ours = nn.Parameter(start[0].float()[:, :, None, None].clone())
    peers = nn.Parameter(start[0].float().clone())
    group = {"params": [ours], "weight_decay": 0.1, "convolution_groups": [1]}
    optimizer = Muon([group], lr=0.02, momentum=0.9)
    reference = torch.optim.Muon([peers], lr=0.02, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    for gradient in start[1:]:
        ours.grad, peers.grad = gradient.float()[:, :, None, None], gradient.float()
        optimizer.step()
        reference.step()
    # torch computes in bf16 whatever the weights are
    torch.testing.assert_close(ours.detach()[:, :, 0, 0], peers.detach(), atol=2e-3, rtol=0)


def test_muon_orthogonalises_each_group_of_a_convolution_by_itself() -> None:
    (gradient,) = gradients((8, 3, 3, 3), 1)
    whole = nn.Parameter(torch.zeros(8, 3, 3, 3).double())
    halves = [nn.Parameter(torch.zeros(4, 3, 3, 3).double()) for _ in range(2)]
    whole.grad = gradient
    for half, part in zip(halves, gradient.chunk(2), strict=True):
        half.grad = part.clone()
    Muon([{"params": [whole], "convolution_groups": [2]}], lr=1.0).step()
    Muon([{"params": halves, "convolution_groups": [1, 1]}], lr=1.0).step()
    torch.testing.assert_close(whole, torch.cat(halves))
    assert whole.detach().norm() > 1


def test_muon_leaves_vectors_and_the_classifier_to_adamw() -> None:
    network = create_model(SMALL_DESIGN.architecture(3)).double()
    reference = create_model(SMALL_DESIGN.architecture(3)).double()
    reference.load_state_dict(network.state_dict())
    recipe = Optimizer(name="muon", lr=0.01, weight_decay=0.1, decay_norms_and_biases=False)
    optimizers = [
        make_optimizer(network, recipe),
        make_optimizer(reference, Optimizer(name="adamw", lr=0.01, weight_decay=0.1, decay_norms_and_biases=False)),
    ]
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        for (_, one), other in zip(network.named_parameters(), reference.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=generator, dtype=torch.float64)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            set_lr(optimizer, 0.01)
            optimizer.step()
    different = set()
    for (name, one), other in zip(network.named_parameters(), reference.parameters(), strict=True):
        if not torch.allclose(one, other, rtol=1e-9, atol=1e-12):
            different.add(name)
    convolutions = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    assert different == convolutions
    assert any(module.groups > 1 for module in network.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "muon"])
def test_every_optimizer_goes_on_from_its_state(name: str) -> None:
    networks = [small_network() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    recipe = Optimizer(name=name, lr=0.05, weight_decay=0.01)
    optimizers = [make_optimizer(network, recipe) for network in networks]

    def step(which: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in networks[which].parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizers[which].step()

    before = [parameter.clone() for parameter in networks[0].parameters()]
    step(0, 1)
    assert all(not torch.equal(old, new) for old, new in zip(before, networks[0].parameters(), strict=True))
    networks[1].load_state_dict(networks[0].state_dict())
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    step(0, 2)
    step(1, 2)
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("timm")
def test_lamb_is_timms() -> None:
    reference: Any = importlib.import_module("timm.optim")
    networks = [small_network() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    recipe = Optimizer(name="lamb", lr=0.01, weight_decay=0.02, decay_norms_and_biases=False)
    groups = make_optimizer(networks[1], recipe).param_groups
    groups = [{"params": group["params"], "weight_decay": group["weight_decay"]} for group in groups]
    optimizers = [make_optimizer(networks[0], recipe), reference.Lamb(groups, lr=0.01, max_grad_norm=None)]
    for step in range(4):
        for network, optimizer in zip(networks, optimizers, strict=True):
            generator = torch.Generator().manual_seed(step)
            for parameter in network.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
