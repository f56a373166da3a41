"""The training loop, and the evaluation of a network between epochs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from regnety.training.batches import Batch, Pixels, Targets
from regnety.training.optimization import InputNormalization, WeightAverage, autocast, set_lr


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one step did. The tensors are still on the device: reading them waits for it."""

    step: int
    lr: float
    loss: Tensor
    correct: Tensor
    """Pictures of the batch whose largest logit was right."""
    count: int


def train_epoch(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    normalize: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], float],
    criterion: Callable[[Tensor, Tensor], Tensor],
    average: WeightAverage | None,
    arithmetic: Literal["f32", "bf16"],
    first_step: int,
    keep_statistics: bool = False,
    clip_norm: float | None = None,
) -> Iterator[StepRecord]:
    """One pass over the batches; yields facts, and the caller decides what to print or keep.

    With `keep_statistics` batch norm uses and keeps the statistics that it has; `clip_norm` is the largest norm of all
    gradients together.
    """
    model.train()
    if keep_statistics:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    for step, (pixels, targets) in enumerate(batches, start=first_step):
        images, labels = normalize(torch.from_numpy(pixels)), torch.from_numpy(targets)  # [N, 3, H, W], [N]
        lr = schedule(step)
        set_lr(optimizer, lr)
        with autocast(arithmetic):
            logits = model(images)  # [N, num_classes]
        loss = criterion(logits.float(), labels)  # bf16 has 8 bits of mantissa, too few for a sum of exponentials
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        if average is not None:
            average.update(model)
        correct = (logits.argmax(1) == labels).sum()
        yield StepRecord(step=step, lr=lr, loss=loss.detach(), correct=correct, count=len(labels))


@torch.inference_mode()
def top1_of(
    model: nn.Module,
    batches: Iterable[tuple[Pixels, Targets]],
    *,
    normalize: InputNormalization,
    arithmetic: Literal["f32", "bf16"],
) -> tuple[float, float]:
    """(top-1 in percent, cross-entropy) of a network in evaluation mode."""
    model.eval()
    correct = count = 0
    loss = 0.0
    for pixels, targets in batches:
        labels = torch.from_numpy(targets)
        with autocast(arithmetic):
            logits = model(normalize(torch.from_numpy(pixels)))
        correct += int((logits.argmax(1) == labels).sum())
        # A sum, divided once at the end: the last batch may be smaller.
        loss += float(nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
        count += len(labels)
    return 100 * correct / count, loss / count
