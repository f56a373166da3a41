"""A network whose gradients and batch statistics are those of the whole batch."""

import inspect
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from regnety.training.distribution.synchronized_norm import synchronize_batch_norm
from regnety.training.distribution.workers import Workers


def in_parallel(model: nn.Module, workers: Workers, *, sync_batchnorm: bool) -> nn.Module:
    """The same network for a worker: after `backward` its parameters have the sum of all workers' gradients.

    All workers begin with the leader's weights. Alone it is the network itself.

    Args:
        model: on its device; its batch norms are replaced where they are to be synchronised.
        workers: who trains it.
        sync_batchnorm: batch norm takes its statistics over the whole batch. Without, each worker takes those of its
            own part, and the leader's running statistics are everybody's.
    """
    if workers.count == 1:
        return model
    if sync_batchnorm:
        synchronize_batch_norm(model, workers)
    engine: Any = nn.parallel.DistributedDataParallel
    known = inspect.signature(engine).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # the older name
    parallel: Any = engine(model, **{buffers: not sync_batchnorm})
    # Its own hook takes the mean over workers, which is wrong where their parts of a batch differ in size.
    parallel.register_comm_hook(None, _sum_of_gradients)
    network: nn.Module = parallel
    return network


def _sum_of_gradients(
    state: None,
    bucket: dist.GradBucket,  # type: ignore[name-defined]  # torch checks that it is this name
) -> torch.futures.Future[Tensor]:
    future: Any = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    return future.then(lambda done: done.value()[0])  # type: ignore[no-any-return]
