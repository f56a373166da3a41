"""Random weights as timm and as pycls draw them."""

import math

import pytest
import torch
from torch import nn

from regnety.architecture.design import Design
from regnety.network.blocks import Bottleneck
from regnety.network.creation import create_model
from regnety.network.initialization import Initialization
from regnety.network.modules import RegNet

DESIGN = Design(depth=2, w0=256, wa=0, wm=2, group_width=32)
"""Eight groups, and enough weights in each convolution to tell its deviation within a few percent."""


def initialized(scheme: Initialization, seed: int = 0) -> RegNet:
    return create_model(DESIGN, initialization=scheme, generator=torch.Generator().manual_seed(seed))


def deviation_is(weight: torch.Tensor, wanted: float) -> bool:
    within = 5 / math.sqrt(2 * weight.numel())  # five deviations of an estimated deviation
    return abs(weight.std().item() / wanted - 1) < within and abs(weight.mean().item() / wanted) < math.sqrt(2) * within


@pytest.mark.parametrize(("scheme", "fan_divided"), [("timm", True), ("pycls", False)])
def test_convolutions_follow_their_fan_out(scheme: Initialization, fan_divided: bool) -> None:
    convolutions = [module for module in initialized(scheme).modules() if isinstance(module, nn.Conv2d)]
    assert {convolution.groups for convolution in convolutions} == {1, 8}
    for convolution in convolutions:
        fan_out = convolution.kernel_size[0] ** 2 * convolution.out_channels
        wanted = math.sqrt(2 / (fan_out / (convolution.groups if fan_divided else 1)))
        assert deviation_is(convolution.weight, wanted)
        assert convolution.bias is None or not convolution.bias.any()


@pytest.mark.parametrize("scheme", ["timm", "pycls"])
def test_classifier_has_a_deviation_of_a_hundredth(scheme: Initialization) -> None:
    head = initialized(scheme).head.fc
    assert deviation_is(head.weight, 0.01)
    assert not head.bias.any()


@pytest.mark.parametrize(("scheme", "last"), [("timm", 0), ("pycls", 1)])
def test_last_norm_of_a_block(scheme: Initialization, last: float) -> None:
    network = initialized(scheme)
    last_norms = [module.conv3.bn for module in network.modules() if isinstance(module, Bottleneck)]
    assert len(last_norms) == 2
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        wanted = last if any(norm is other for other in last_norms) else 1
        assert (norm.weight == wanted).all()
        assert not norm.bias.any()
        assert not norm.running_mean.any()
        assert (norm.running_var == 1).all()


@pytest.mark.parametrize("scheme", ["timm", "pycls"])
def test_generator_decides_the_weights(scheme: Initialization) -> None:
    first, again, other = (initialized(scheme, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [key for key in first if key.endswith(("conv.weight", "fc.weight", "fc1.weight", "fc2.weight"))]
    assert not any(torch.equal(first[key], other[key]) for key in drawn)


def test_without_generator_torchs_own_decides() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(create_model(DESIGN).state_dict()["stem.conv.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_schemes_differ_in_grouped_convolutions_and_last_norms_alone() -> None:
    timm, pycls = initialized("timm").state_dict(), initialized("pycls").state_dict()
    differing = {key.partition(".b")[2].partition(".")[2] for key in timm if not torch.equal(timm[key], pycls[key])}
    assert differing == {"conv2.conv.weight", "conv3.bn.weight"}
