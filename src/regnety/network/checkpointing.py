"""Gradient checkpointing: activations are computed again in the backward pass instead of being kept."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run_checkpointed(module: nn.Module, x: Tensor) -> Tensor:
    """`module(x)`, keeping only `x` for the backward pass. Outputs, gradients and buffers are as without."""
    if torch.compiler.is_compiling():  # the compiler updates the statistics once itself, and supports no contexts
        result: Tensor = checkpoint(module, x, use_reentrant=False)
        return result

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _restored_buffers(module)

    result = checkpoint(module, x, use_reentrant=False, context_fn=contexts)
    return result


@contextmanager
def _restored_buffers(module: nn.Module) -> Iterator[None]:
    """Put a module's buffers back: in the second forward pass batch norm would count the same batch again."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
