"""Statistics of batch norm that several workers compute anew together."""

import copy

import torch
from threaded_workers import in_threads
from torch import Tensor

from bundles import SMALL_DESIGN
from regnety.network.creation import create_model
from regnety.training.distribution.synchronized_norm import synchronize_batch_norm
from regnety.training.distribution.workers import Workers
from regnety.training.optimisation.precise_statistics import set_precise_statistics


def test_workers_find_those_of_the_whole_batches() -> None:
    alone = create_model(SMALL_DESIGN.architecture(3)).double()
    batches = torch.randn(3, 8, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def work(workers: Workers) -> dict[str, Tensor]:
        network = copy.deepcopy(alone)
        synchronize_batch_norm(network, workers)
        set_precise_statistics(network, batches[:, workers.part(8).places])
        return network.state_dict()

    found = in_threads(2, work)
    set_precise_statistics(alone, batches)
    for state in found:
        assert state.keys() == alone.state_dict().keys()
        for key, value in alone.state_dict().items():
            torch.testing.assert_close(state[key], value, rtol=1e-10, atol=1e-12, msg=key)
