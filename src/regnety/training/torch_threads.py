"""The number of threads that torch computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def torch_threads() -> int:
    """How many it uses now."""
    return torch.get_num_threads()


@contextmanager
def with_torch_threads(count: int | None) -> Iterator[None]:
    """Let it use so many meanwhile; None changes nothing. Sums over several threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
