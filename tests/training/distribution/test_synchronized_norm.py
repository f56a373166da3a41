"""Batch norm of parts is batch norm of the whole batch: outputs, gradients and running statistics."""

import numpy as np
import pytest
import torch
from threaded_workers import in_threads
from torch import Tensor, nn

from regnety.training.distribution.synchronized_norm import SynchronizedBatchNorm, synchronize_batch_norm
from regnety.training.distribution.workers import Workers

CHANNELS = 5


def a_norm(momentum: float | None) -> nn.BatchNorm2d:
    generator = torch.Generator().manual_seed(1)
    norm = nn.BatchNorm2d(CHANNELS, momentum=momentum).double()
    with torch.no_grad():
        for values in norm.parameters():
            values.copy_(torch.randn(CHANNELS, generator=generator))
    return norm


def trained(norm: nn.BatchNorm2d, batches: list[Tensor]) -> list[Tensor]:
    """(output, gradients of input, weight and bias) of the last batch, and the running statistics after all of them."""
    for images in batches:
        images = images.clone().requires_grad_()
        norm.zero_grad()
        output = norm(images)
        # a loss to which each place adds in a way of its own, so that no gradient is zero by symmetry
        (output.sin() * images.detach().cos()).sum().backward()
    assert images.grad is not None
    gradients = [parameter.grad.clone() for parameter in norm.parameters()]
    statistics = [norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone()]
    return [output.detach(), images.grad, *gradients, *statistics]


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("count", [2, 3])
def test_uneven_parts_have_the_figures_of_the_whole_batch(count: int, momentum: float | None) -> None:
    generator = torch.Generator().manual_seed(2)
    # far from zero: a variance from a sum of squares in float32 would have lost its digits
    batches = [50 + torch.randn(7, CHANNELS, 4, 3, generator=generator, dtype=torch.float64) for _ in range(3)]
    expected = trained(a_norm(momentum), batches)

    def work(workers: Workers) -> list[Tensor]:
        places = workers.part(7).places
        return trained(SynchronizedBatchNorm(a_norm(momentum), workers), [batch[places] for batch in batches])

    found = in_threads(count, work)
    places = torch.from_numpy(np.concatenate([Workers(r, count).part(7).places for r in range(count)]))
    for index in (0, 1):
        torch.testing.assert_close(
            torch.cat([of[index] for of in found]), expected[index][places], rtol=1e-9, atol=1e-9
        )
    for index in (2, 3):  # each worker has what its own part adds
        torch.testing.assert_close(sum(of[index] for of in found), expected[index], rtol=1e-9, atol=1e-9)
    for of in found:
        torch.testing.assert_close(of[4:], expected[4:], rtol=1e-9, atol=1e-9)


def test_float32_and_bf16_have_the_digits_of_their_type() -> None:
    images = 3 + torch.randn(8, CHANNELS, 4, 4, generator=torch.Generator().manual_seed(3))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
        batch = images.to(dtype)
        expected = a_norm(0.1).float()(batch)

        def work(workers: Workers, batch: Tensor = batch) -> Tensor:
            return SynchronizedBatchNorm(a_norm(0.1).float(), workers)(batch[workers.part(8).places])

        found = in_threads(2, work)
        places = [Workers(rank, 2).part(8).places for rank in (0, 1)]
        for of, where in zip(found, places, strict=True):
            assert of.dtype == dtype
            torch.testing.assert_close(of, expected[where], rtol=tolerance, atol=tolerance)


def test_the_keys_and_evaluation_stay() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, CHANNELS, 1), nn.BatchNorm2d(CHANNELS), nn.Sequential(nn.BatchNorm2d(CHANNELS))
    )
    keys = list(network.state_dict())
    images = torch.randn(2, 3, 4, 4)
    expected = network.eval()(images)
    synchronize_batch_norm(network, Workers(0, 2))
    assert [type(module).__name__ for module in network.modules()].count("SynchronizedBatchNorm") == 2
    assert list(network.state_dict()) == keys
    assert torch.equal(network(images), expected)  # without asking the other worker, which is not there
