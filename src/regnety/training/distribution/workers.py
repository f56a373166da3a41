"""The processes that train one network together, and what they tell each other."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from regnety.errors import ClusterError
from regnety.inference.engines.processor import available_cores
from regnety.text import one_line
from regnety.training.devices import Device
from regnety.training.distribution.batch_parts import BatchPart, part_of_batch

BACKENDS = "cpu:gloo,cuda:nccl"
"""What carries tensors between processes: those of the processor, and those of graphics cards."""
PATIENCE = timedelta(hours=12)
"""How long a worker waits while the first one works alone: looks at all pictures, or evaluates."""
STEP_PATIENCE = timedelta(minutes=30)
"""How long it waits in a step, where all work. After that another one is gone: of a lost machine nothing is heard."""

Value = TypeVar("Value")


class AnotherWorkerEndedError(ClusterError):
    """Raised where this worker cannot go on, as another one has failed or was killed."""


@dataclass(frozen=True, slots=True)
class Workers:
    """All processes of a run, as seen from one of them.

    Args:
        rank: of this one, from 0.
        count: of processes.
        on_this_machine: how many of them share this machine's processor.
        patient: the group in which they wait for the first one; None is the usual one.
    """

    rank: int = 0
    count: int = 1
    on_this_machine: int = 1
    patient: "dist.ProcessGroup | None" = field(default=None, compare=False, repr=False)

    @property
    def threads(self) -> int:
        """This worker's share of the machine's cores, for decoding."""
        return max(1, available_cores() // self.on_this_machine)

    @property
    def is_leader(self) -> bool:
        """Whether this process writes the run's files and speaks."""
        return self.rank == 0

    def part(self, batch_size: int, *, pieces: int = 1) -> BatchPart:
        """The pictures of a batch that are this worker's; the batch is computed in so many pieces.

        Raises:
            RecipeError: the batch is too small to be divided.
        """
        return part_of_batch(batch_size, rank=self.rank, workers=self.count, pieces=pieces)

    def sum(self, values: Tensor) -> Tensor:
        """The sum of every worker's tensor, the same bits in each; `values` is overwritten."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def from_leader(self, value: Value) -> Value:
        """The leader's value, in every worker."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.patient, device=torch.device("cpu"))
        return values[0]

    def same(self, values: Tensor) -> None:
        """Overwrite a tensor with the leader's."""
        if self.count > 1:
            dist.broadcast(values, src=0)

    def led(self, work: Callable[[], Value]) -> Value:
        """What the leader's work answers, in every worker; the others wait for it.

        Raises:
            AnotherWorkerEndedError: in the others, where the leader's work raises.
        """
        if self.count == 1:
            return work()
        answer: tuple[Value] | None = None
        try:
            if self.is_leader:
                answer = (work(),)
        finally:
            answer = self.from_leader(answer)
        if answer is None:
            raise AnotherWorkerEndedError("the first worker of this run has ended; its own line says why")
        return answer[0]


ALONE = Workers()
"""One process."""


@contextmanager
def joined(device: Device | None = None) -> Iterator[Workers]:
    """The workers that `torchrun` or Ray Train has started with this process; without either this one is alone.

    Args:
        device: where this worker trains; one with several graphics cards takes the card of its number.

    Raises:
        AnotherWorkerEndedError: within, where another worker has ended.
        ClusterError: there are more workers on this machine than cards, or they are to share Apple's GPU.
    """
    if dist.is_initialized():  # by Ray Train
        with _others_watched():
            yield _workers()
        return
    if "LOCAL_RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if device is not None and device.kind == "mps":
        raise ClusterError("Apple's GPU cannot share a run with another process; use --device cpu (device=)")
    if device is not None and device.kind == "cuda":
        number, cards = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= cards:
            raise ClusterError(
                f"torchrun has started more processes than this machine has graphics cards ({cards}): "
                f"--nproc-per-node {cards}, or --device cpu for the processor"
            )
        torch.cuda.set_device(number)
    on_card = device is not None and device.kind == "cuda"
    dist.init_process_group(BACKENDS if on_card else "gloo", timeout=STEP_PATIENCE)
    try:
        with _others_watched():
            yield _workers()
    finally:
        dist.destroy_process_group()


@contextmanager
def _others_watched() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # gloo's are plain RuntimeErrors, which name its files or its peer
        if isinstance(error, dist.DistError) or "gloo" in str(error) or "peer" in str(error):
            raise AnotherWorkerEndedError(
                f"another worker of this run has ended, or cannot be reached ({one_line(error)})"
            ) from error
        raise


def _workers() -> Workers:
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    patient = dist.new_group(backend="gloo", timeout=PATIENCE)
    return Workers(dist.get_rank(), dist.get_world_size(), here, patient)
