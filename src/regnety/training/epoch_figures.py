"""The figures of an epoch: read from the device while it is trained, summed over the workers, and shown."""

import math
import sys
from collections.abc import Iterator
from itertools import islice

import torch

from regnety.errors import LossError
from regnety.progress import Progress
from regnety.training.devices import Device
from regnety.training.distribution.workers import Workers
from regnety.training.duration import Duration, Speed
from regnety.training.loop import StepRecord
from regnety.training.recipes.recipe import Recipe

STEPS_AHEAD = 16
"""Steps on a graphics card before their losses are read, so that the card never waits for Python."""


class EpochFigures:
    """Reads the records of steps, and shows the progress of each epoch.

    Args:
        recipe: of the run.
        steps_per_epoch: batches in an epoch.
        num_validation: pictures of validation, which also take time.
        device: where the records are.
        workers: who each have a part of every batch.
        quiet: show nothing.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        steps_per_epoch: int,
        num_validation: int,
        device: Device,
        workers: Workers,
        quiet: bool,
    ) -> None:
        self._lr = recipe.optimizer.lr
        self._steps_per_epoch = steps_per_epoch
        self._device = device
        self._workers = workers
        self._quiet = quiet
        self._duration = Duration(recipe, steps_per_epoch, num_validation=num_validation)

    def read(self, epoch: int, steps: Iterator[StepRecord], *, epochs: int) -> dict[str, float]:
        """Take the steps of an epoch, which are trained by that.

        Args:
            epoch: counted from 0.
            steps: of the epoch.
            epochs: of the run.

        Returns:
            `lr` of the last step, `train_loss`, and `train_top1` in percent.

        Raises:
            LossError: the loss is not finite.
        """
        loss, correct, seen, lr, speed = 0.0, 0, 0, 0.0, Speed()
        title = f"epoch {epoch + 1}/{epochs}"
        with Progress(title, total=self._steps_per_epoch, quiet=self._quiet) as progress:
            for records in self._read_together(steps):
                losses, right = self._of_whole_batches(records)
                loss += sum(value * record.count for value, record in zip(losses, records, strict=True))
                correct += int(sum(right))
                seen += sum(record.count for record in records)
                lr = records[-1].lr
                # A sum keeps a NaN of any step.
                if not math.isfinite(loss):
                    raise LossError(f"the loss is not finite in epoch {epoch + 1}; lower optimizer.lr ({self._lr:g})")
                facts = {"loss": loss / seen, "top1": 100 * correct / seen}
                progress.advance(len(records), **facts, **self._pace(speed, records[-1].step, seen))
                if (words := self._duration.after_step(records[-1].step)) is not None and not self._quiet:
                    print(f"regnety: {words}", file=sys.stderr, flush=True)
        return {"lr": lr, "train_loss": loss / seen, "train_top1": 100 * correct / seen}

    def _pace(self, speed: Speed, step: int, seen: int) -> dict[str, float]:
        """Images a second in this epoch, memory of a graphics card, and time left of the run, for the progress line."""
        facts = {"images/s": speed.after(seen)}
        if (memory := self._device.memory_in_use) is not None:
            facts["GiB"] = memory / 2**30
        facts["minutes left"] = self._duration.minutes_left(step)
        return {name: value for name, value in facts.items() if value is not None}

    def _read_together(self, records: Iterator[StepRecord]) -> Iterator[list[StepRecord]]:
        """Steps whose results are read at once: reading waits for them, which on a processor is done anyway."""
        ahead = 1 if self._device.is_processor else STEPS_AHEAD
        return map(list, iter(lambda: tuple(islice(records, ahead)), ()))

    def _of_whole_batches(self, records: list[StepRecord]) -> tuple[list[float], list[float]]:
        """Of each step the mean loss of its batch, and how many pictures of it were right."""
        widest = self._device.widest
        figures = torch.stack([torch.stack([each.loss.to(widest), each.correct.to(widest)]) for each in records], 1)
        losses, right = self._workers.sum(figures).tolist()
        return losses, right
