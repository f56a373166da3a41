"""The training loop, and the evaluation of a network between epochs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from regnety.training.batch_plan import Batch
from regnety.training.batches import EvaluationBatches
from regnety.training.device_batches import TensorBatch
from regnety.training.devices import Arithmetic, Device
from regnety.training.distribution.batch_parts import BatchPart
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.dropping import Dropping
from regnety.training.input_normalization import InputNormalization
from regnety.training.lighting import lit
from regnety.training.mixing import mixed
from regnety.training.objective import Objective
from regnety.training.optimisation.optimizers import set_lr
from regnety.training.optimisation.weight_average import WeightAverage
from regnety.training.recipes.recipe import Augmentation
from regnety.training.teacher import Teacher


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one step did. The tensors are on the device: reading them waits for it."""

    step: int
    lr: float
    loss: Tensor
    correct: Tensor
    """Pictures whose largest logit was right."""
    count: int
    """Pictures of the whole batch. `loss` and `correct` are what this worker's part adds to theirs."""


def train_epoch(
    model: nn.Module,
    batches: Iterable[Batch | TensorBatch],
    *,
    normalize: Callable[[Tensor], Tensor],
    std: Tensor,
    dropping: Dropping,
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], float],
    objective: Objective,
    average: WeightAverage | None,
    device: Device,
    arithmetic: Arithmetic,
    scaler: torch.amp.GradScaler,
    augmentation: Augmentation,
    seed: int,
    first_step: int,
    part: BatchPart,
    teacher: Teacher | None = None,
    keep_statistics: bool = False,
    clip_norm: float | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[StepRecord]:
    """One pass over the batches; yields facts, and the caller decides what to print or keep.

    `augmentation` lights, mixes and erases, by `seed` and step; `std` is the normalization's, [1, 3, 1, 1] on the scale
    from 0 to 1; `dropping` and `teacher` are the network's. The batches are this worker's `part` of whole ones, and are
    computed in its pieces. With `keep_statistics` batch norm uses and keeps the statistics that it has; `clip_norm` is
    the largest norm of all gradients together; `forward` is called in place of `model`, compiled or in parallel with
    other workers.
    """
    model.train()
    if keep_statistics:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    for step, (pixels, targets) in enumerate(batches, start=first_step):
        images, labels = normalize(on_device(pixels, device)), on_device(targets, device)  # [N, 3, H, W], [N]
        others, share = labels, 1.0
        if augmentation.lighting:
            images = lit(images, augmentation.lighting, std, seed=seed, step=step, part=part)
        if augmentation.mixes:
            batch = mixed(images, labels, augmentation, seed=seed, step=step, part=part)
            images, others, share = batch.images, batch.others, batch.share
        dropping.draw(part, step, device.torch_device)
        lr = schedule(step)
        set_lr(optimizer, lr)
        optimizer.zero_grad(set_to_none=True)
        whole = objective.divisor(labels, others, share)
        loss, correct = torch.zeros_like(whole), torch.zeros_like(labels[0])
        for some in _in_pieces(part, forward):
            dropping.narrow_to(some)
            with device.autocast(arithmetic):
                logits = (forward or model)(images[some])  # [some, num_classes]
            own = objective(logits, labels[some], others[some], share) / whole
            if teacher is not None:
                own = teacher.added_to(own, logits, images[some], part.whole)
            scaler.scale(own).backward()
            loss += own.detach()
            correct += (logits.argmax(1) == (labels if share >= 0.5 else others)[some]).sum()
        if clip_norm is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        scaler.step(optimizer)
        scaler.update()
        if average is not None:
            average.update(model, step)
        yield StepRecord(step=step, lr=lr, loss=loss, correct=correct, count=part.whole)


def _in_pieces(part: BatchPart, forward: object) -> Iterator[slice | npt.NDArray[np.intp]]:
    """The pieces of a worker's part; the others get the sum of the gradients with the last one."""
    if len(part.pieces) == 1:
        yield slice(None)  # a view, and no copy
        return
    for piece in part.pieces:
        unshared = nullcontext if piece is part.pieces[-1] else getattr(forward, "no_sync", nullcontext)
        with unshared():
            yield piece


def on_device(values: npt.NDArray[np.uint8] | npt.NDArray[np.int64] | Tensor, device: Device) -> Tensor:
    """The same on the device; what is there already stays where it is."""
    if isinstance(values, Tensor):
        return values
    tensor = torch.from_numpy(values)
    if device.kind == "cuda":
        # From memory that is not paged out, so that the card copies while it computes.
        return tensor.pin_memory().to(device.torch_device, non_blocking=True)
    return tensor.to(device.torch_device)


@torch.inference_mode()
def top1_of(
    model: nn.Module,
    batches: EvaluationBatches,
    *,
    normalize: InputNormalization,
    device: Device,
    arithmetic: Arithmetic,
    workers: Workers = ALONE,
) -> tuple[float, float]:
    """(top-1 in percent, cross-entropy) of a network in evaluation mode, on the batches of all workers.

    The same to the last bit with any number of workers: each batch is evaluated whole by one of them.
    """
    model.eval()
    # Of each batch the right answers and the sum of losses; float32, too, has all whole numbers that a batch may have.
    figures = torch.zeros((batches.total, 2), dtype=device.widest, device=device.torch_device)
    for number, pixels, targets in batches.numbered():
        labels = on_device(targets, device)
        with device.autocast(arithmetic):
            logits = model(normalize(on_device(pixels, device)))
        figures[number, 0] = (logits.argmax(1) == labels).sum()
        # A sum, divided once at the end: the last batch may be smaller.
        figures[number, 1] = nn.functional.cross_entropy(logits.to(device.widest), labels, reduction="sum")
    # Read once: each reading would wait for the device.
    correct, losses = zip(*workers.sum(figures).tolist(), strict=True)
    return 100 * int(sum(correct)) / batches.count, sum(losses) / batches.count


def probabilities_of(
    model: nn.Module,
    batches: EvaluationBatches,
    *,
    normalize: InputNormalization,
    device: Device,
    arithmetic: Arithmetic,
) -> Iterator[npt.NDArray[np.float32]]:
    """What a network answers in evaluation mode, batch by batch: float32 [N, classes]."""
    model.eval()
    for pixels, _ in batches:
        with torch.no_grad(), device.autocast(arithmetic):
            logits = model(normalize(on_device(pixels, device)))
        yield logits.float().softmax(1).cpu().numpy()
