"""Gradient checkpointing: less memory, the same numbers."""

import copy

import pytest
import torch
from torch import nn

from numerics import lively_network, random_images
from regnety.architecture.design import Design
from regnety.network.extractor import FeatureExtractor
from regnety.network.modules import RegNet

DESIGN = Design(depth=4, w0=16, wa=12, wm=2, group_width=8)
IMAGES = torch.from_numpy(random_images(4, 3, 32, 32))


def stored_elements(network: nn.Module) -> int:
    """Elements of the tensors that a forward pass keeps for the backward pass, parameters apart."""
    parameters = {parameter.data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        if value.data_ptr() not in parameters:
            kept[value.data_ptr()] = value.numel()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        outputs = network(IMAGES)  # alive until all are counted, so that no address is used twice
    assert outputs is not None
    return sum(kept.values())


@pytest.mark.parametrize("drop_path_rate", [0.0, 0.5])
def test_outputs_gradients_and_statistics_are_the_same(drop_path_rate: float) -> None:
    plain = lively_network(DESIGN, drop_path_rate=drop_path_rate).train()
    checkpointed = copy.deepcopy(plain)
    checkpointed.set_grad_checkpointing()
    for network in (plain, checkpointed):
        torch.manual_seed(0)
        network(IMAGES).square().sum().backward()
    for (name, wanted), found in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        assert wanted.grad is not None
        assert wanted.grad.any()
        assert torch.equal(found.grad, wanted.grad), name
    for (name, wanted), found in zip(plain.named_buffers(), checkpointed.buffers(), strict=True):
        assert torch.equal(found, wanted), name
    assert checkpointed.get_buffer("s3.b1.conv1.bn.num_batches_tracked") == 1


@pytest.mark.parametrize("features", [False, True])
def test_activations_are_not_kept(features: bool) -> None:
    deep = Design(depth=8, w0=32, wa=0, wm=2, group_width=8, stem_width=8)
    network: RegNet | FeatureExtractor = lively_network(deep).train()
    if features:
        network = FeatureExtractor(network)
    plain = stored_elements(network)
    network.set_grad_checkpointing()
    assert stored_elements(network) < plain / 4
    network.set_grad_checkpointing(False)
    assert stored_elements(network) == plain


def test_a_compiled_network_counts_a_batch_once() -> None:
    network = lively_network(DESIGN).train()
    wanted = copy.deepcopy(network)
    network.set_grad_checkpointing()
    compiled = torch.compile(network, backend="aot_eager")
    for model in (compiled, wanted):
        model(IMAGES).square().sum().backward()
    for (name, buffer), other in zip(wanted.named_buffers(), network.buffers(), strict=True):
        assert torch.allclose(other, buffer, rtol=1e-5), name
    assert torch.allclose(network.head.fc.weight.grad, wanted.head.fc.weight.grad, rtol=1e-4)
