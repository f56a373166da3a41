"""One run in memory: the network with everything that trains it, epoch by epoch."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regnety.errors import RecipeError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.progress import Progress
from regnety.training.batch_features import Features, features_in_training
from regnety.training.batch_plan import Targets
from regnety.training.batches import EvaluationBatches, TrainingBatches
from regnety.training.best_epochs import BestEpochs, RankedEpoch, Weights
from regnety.training.checkpoints import Progression, checkpoints, load_checkpoint, save_checkpoint
from regnety.training.devices import PROCESSOR, Device
from regnety.training.distribution.parallel import in_parallel
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.dropping import Dropping
from regnety.training.duration import Duration, Speed
from regnety.training.epoch_weights import EpochWeights
from regnety.training.input_normalization import InputNormalization
from regnety.training.loop import StepRecord, train_epoch
from regnety.training.objective import Objective
from regnety.training.optimisation.optimizers import make_optimizer
from regnety.training.optimisation.schedules import make_schedule
from regnety.training.optimisation.weight_average import WeightAverage, new_share
from regnety.training.recipes.recipe import Recipe
from regnety.training.teacher import Teacher

FEATURE_EPOCH = 10_000
"""Its augmentation is that of pictures whose features are asked for: a run never comes so far, so that it has not seen
them."""
STEPS_AHEAD = 16
"""Steps on a graphics card before their losses are read, so that the card never waits for Python."""
UNMEASURED_STEPS = 2
"""First steps, which also wait for the first pictures and for memory."""


class Session:
    """A network, its optimiser, its averaged weights, and their progress.

    Args:
        model: the network to begin with.
        recipe: the values, resolved (`starting_point.resolve_recipe`).
        batches: the training pictures.
        validation: the pictures that choose the best epoch; None keeps the last one.
        preprocessing: of evaluation.
        device: where it is trained.
        compiled: let `torch.compile` make kernels for the network first, which takes a minute.
        workers: who train the same run together; `batches` and `validation` are this one's.
        teacher: whose answers are part of the targets.
        quiet: print nothing on stderr.
    """

    def __init__(
        self,
        model: RegNet,
        recipe: Recipe,
        *,
        batches: TrainingBatches,
        validation: EvaluationBatches | None,
        preprocessing: Preprocessing,
        device: Device = PROCESSOR,
        compiled: bool = False,
        workers: Workers = ALONE,
        teacher: Teacher | None = None,
        quiet: bool,
    ) -> None:
        self.device = device
        self._workers = workers
        self._teacher = teacher
        self._dropping = Dropping(model, recipe.seed)
        self.arithmetic = device.arithmetic(recipe.precision)
        dtype = torch.float64 if self.arithmetic == "f64" else torch.float32  # of the weights
        self.model: RegNet = model.to(device.torch_device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._normalize = InputNormalization(preprocessing.mean, preprocessing.std, dtype=dtype).to(device.torch_device)
        self._epoch_weights = EpochWeights(
            self.model,
            recipe,
            batches=batches,
            validation=validation,
            normalize=self._normalize,
            device=device,
            workers=workers,
        )
        trained = in_parallel(self.model, workers, sync_batchnorm=recipe.sync_batchnorm)
        self._forward = torch.compile(trained) if compiled else trained
        if device.kind == "cuda":
            torch.backends.cudnn.benchmark = True  # the shapes are the same in each step
        self.recipe = recipe
        self.progression = Progression(epochs_done=0, history=[], best_epoch=0, best_top1=-1.0, seconds=0.0)
        self.progression.lengths.append([0, recipe.epochs])
        self.best: Weights = self.model.state_dict()
        """Weights of the best epoch so far; before the first those at the start."""
        self.steps_per_epoch = batches.steps_per_epoch
        self._batches = batches
        self._validation = validation
        self.preprocessing = preprocessing
        self._quiet = quiet
        self._optimizer = make_optimizer(self.model, recipe.optimizer)
        self._schedule = make_schedule(recipe, batches.steps_per_epoch)
        self._scaler = device.gradient_scaler(self.arithmetic)
        balanced = recipe.class_weights == "balanced"
        self._objective = Objective(
            label_smoothing=recipe.label_smoothing,
            class_weights=balanced_weights(batches.targets, model.num_classes) if balanced else None,
            workers=workers,
            dtype=dtype,
        ).to(device.torch_device)
        self._best_epochs = BestEpochs(recipe.average_best)
        share = new_share(recipe, batches.steps_per_epoch)
        self._average = None if share is None else WeightAverage(self.model, share)
        self._duration = Duration(recipe, batches.steps_per_epoch, num_validation=validation.count if validation else 0)

    def restore(self, run: Path, *, begun_for: int) -> None:
        """Restore the newest checkpoint of a run, if it has one; `run_for` says how long the run is from there on.

        Args:
            run: the run's folder.
            begun_for: epochs of the run until now.
        """
        if found := checkpoints(run):
            self.progression, self.best = load_checkpoint(
                found[-1],
                model=self.model,
                optimizer=self._optimizer,
                average=self._average,
                scaler=self._scaler,
                best_epochs=self._best_epochs,
            )
            lengths = self.progression.lengths
            if not lengths:  # a checkpoint of an earlier release, which did not keep them
                lengths.append([0, begun_for])

    def run_for(self, epochs: int) -> None:
        """Let the run have so many epochs; the schedule covers them from here on. It may end here by that."""
        done, lengths = self.progression.epochs_done, self.progression.lengths
        had_ended = self.has_ended
        if epochs != self.recipe.epochs:
            self.recipe = replace(self.recipe, epochs=epochs)
            self._schedule = make_schedule(self.recipe, self.steps_per_epoch)
            if self._average is not None and (share := new_share(self.recipe, self.steps_per_epoch)) is not None:
                self._average.share = share
        if lengths[-1][1] != epochs:
            lengths.append([done, epochs])
        if self.has_ended and not had_ended:
            self._average_best()

    @property
    def found_better(self) -> bool:
        """Whether the last epoch is the best so far, or the end of the run has found better weights."""
        return self.progression.best_epoch == self.progression.epochs_done or bool(self.progression.averaged)

    @property
    def has_ended(self) -> bool:
        """Whether all epochs are done, or the last `patience` of them were no better than an earlier one."""
        done, patience = self.progression.epochs_done, self.recipe.patience
        return done >= self.recipe.epochs or 0 < patience <= done - self.progression.best_epoch

    def save(self, run: Path, metadata: ModelMetadata, *, keep: int) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            run,
            self.progression,
            model=self.model,
            optimizer=self._optimizer,
            average=self._average,
            scaler=self._scaler,
            best=self.best,
            best_epochs=self._best_epochs,
            metadata=metadata,
            keep=keep,
        )

    def features(self, batches: int) -> tuple[Features, Targets]:
        """Pooled features of so many batches, and their classes, as the network has them while it is trained.

        Batch norm adapts its statistics to them, unless the recipe keeps them.
        """
        pictures = chain.from_iterable(map(self._batches.epoch, count(FEATURE_EPOCH)))
        return features_in_training(
            self.model,
            islice(pictures, batches),
            normalize=self._normalize,
            device=self.device,
            arithmetic=self.arithmetic,
            keep_statistics=self.recipe.batch_norm == "kept",
        )

    def start_with(self, weight: Features, bias: Features) -> None:
        """Begin with this classifier, [num_classes, num_features] and [num_classes], and the network as it is now."""
        self.model.get_classifier().load_state_dict(
            {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
        )
        if self._average is not None:
            self._average = WeightAverage(self.model, self._average.share)
        self.best = self.model.state_dict()

    def rank_start(self) -> float:
        """Let the weights at the start count as an epoch, which the others have to be better than.

        Returns:
            Their accuracy on the validation pictures, in percent.
        """
        found = self._epoch_weights.score(self.model.state_dict())
        self._rank(0, self.model.state_dict(), top1=found["val_top1"], loss=found["val_loss"])
        self.progression.start_top1 = found["val_top1"]
        return found["val_top1"]

    def advance(self) -> dict[str, Any]:
        """Train and validate the next epoch; the answer is its row of metrics.jsonl.

        Raises:
            RecipeError: the loss is not finite.
        """
        started = time.monotonic()
        epoch = self.progression.epochs_done
        row: dict[str, Any] = {"epoch": epoch + 1, **self._train(epoch)}
        kept, scores = self._epoch_weights.kept(epoch, self._average, self.model.state_dict())
        row |= scores
        self._rank(epoch + 1, kept, top1=row.get("val_top1", -1.0), loss=row.get("val_loss", 0.0))
        self.progression.epochs_done = epoch + 1
        if self.has_ended:
            self._average_best()
        row["seconds"] = round(time.monotonic() - started, 2)
        self.progression.seconds += row["seconds"]
        self.progression.history.append(row)
        return row

    def _rank(self, epoch: int, weights: Weights, *, top1: float, loss: float) -> None:
        weights = {key: value.clone() for key, value in weights.items()}
        self._best_epochs.add(RankedEpoch(epoch=epoch, top1=top1, loss=loss, weights=weights))
        if top1 >= self.progression.best_top1 or self._validation is None:
            self.best = weights
            self.progression.best_epoch, self.progression.best_top1 = epoch, top1
            self.progression.averaged = []

    def _average_best(self) -> None:
        """Keep the average of the best epochs where it is right more often, or as often with a smaller loss."""
        ranked = self._best_epochs.ranked
        if self._validation is None or len(ranked) < 2:
            return
        average = self._best_epochs.average()
        found = self._epoch_weights.score(average)
        if (found["val_top1"], -found["val_loss"]) > (ranked[0].top1, -ranked[0].loss):
            self.best = average
            self.progression.best_top1 = found["val_top1"]
            self.progression.averaged = sorted(epoch.epoch for epoch in ranked)

    def measure_step_s(self, measured_s: float, *, give_up_s: float = math.inf) -> float:
        """Seconds of a step, the mean over `measured_s` seconds of steps and at least two; the weights change by them.

        The first two do not count: they also wait for the first pictures and for memory. A step that takes longer than
        `give_up_s`, but for the first, is the last one and the answer.
        """
        first, began, before = UNMEASURED_STEPS - 1, 0.0, math.inf
        for number, record in enumerate(chain.from_iterable(map(self._steps, count()))):
            record.loss.item()  # waits for the step
            now = time.monotonic()
            if now - before > give_up_s:
                return now - before
            before = now
            if number == first:
                began = now
            elif number > first + 1 and now - began >= measured_s:
                return (now - began) / (number - first)
        raise AssertionError("the steps have no end")

    def _steps(self, epoch: int) -> Iterator[StepRecord]:
        size = self.recipe.small_size(epoch)
        return train_epoch(
            self.model,
            self._batches.epoch(epoch),
            normalize=lambda pixels: self._normalize(pixels, size),
            std=self._normalize.std / 255,
            dropping=self._dropping,
            optimizer=self._optimizer,
            schedule=self._schedule,
            objective=self._objective,
            average=self._average,
            device=self.device,
            arithmetic=self.arithmetic,
            scaler=self._scaler,
            augmentation=self.recipe.augmentation,
            seed=self.recipe.seed,
            first_step=epoch * self._batches.steps_per_epoch,
            part=self._batches.part,
            teacher=self._teacher,
            keep_statistics=self.recipe.batch_norm == "kept",
            clip_norm=self.recipe.optimizer.clip_norm,
            forward=self._forward,
        )

    def _train(self, epoch: int) -> dict[str, float]:
        loss, correct, seen, lr, speed = 0.0, 0, 0, 0.0, Speed()
        title = f"epoch {epoch + 1}/{self.recipe.epochs}"
        with Progress(title, total=self._batches.steps_per_epoch, quiet=self._quiet) as progress:
            for records in self._read_together(self._steps(epoch)):
                losses, right = self._of_whole_batches(records)
                loss += sum(value * record.count for value, record in zip(losses, records, strict=True))
                correct += int(sum(right))
                seen += sum(record.count for record in records)
                lr = records[-1].lr
                # A sum keeps a NaN of any step.
                if not math.isfinite(loss):
                    lr_now = self.recipe.optimizer.lr
                    raise RecipeError(f"the loss is not finite in epoch {epoch + 1}; lower optimizer.lr ({lr_now:g})")
                facts = {"loss": loss / seen, "top1": 100 * correct / seen}
                progress.advance(len(records), **facts, **self._pace(speed, records[-1].step, seen))
                if (words := self._duration.after_step(records[-1].step)) is not None and not self._quiet:
                    print(f"regnety: {words}", file=sys.stderr, flush=True)
        return {"lr": lr, "train_loss": loss / seen, "train_top1": 100 * correct / seen}

    def _pace(self, speed: Speed, step: int, seen: int) -> dict[str, float]:
        """Images a second in this epoch, memory of a graphics card, and time left of the run, for the progress line."""
        facts = {"images/s": speed.after(seen)}
        if (memory := self.device.memory_in_use) is not None:
            facts["GiB"] = memory / 2**30
        facts["minutes left"] = self._duration.minutes_left(step)
        return {name: value for name, value in facts.items() if value is not None}

    def _read_together(self, records: Iterator[StepRecord]) -> Iterator[list[StepRecord]]:
        """Steps whose results are read at once: reading waits for them, which on a processor is done anyway."""
        ahead = 1 if self.device.is_processor else STEPS_AHEAD
        return map(list, iter(lambda: tuple(islice(records, ahead)), ()))

    def _of_whole_batches(self, records: list[StepRecord]) -> tuple[list[float], list[float]]:
        """Of each step the mean loss of its batch, and how many pictures of it were right."""
        widest = self.device.widest
        figures = torch.stack([torch.stack([each.loss.to(widest), each.correct.to(widest)]) for each in records], 1)
        losses, right = self._workers.sum(figures).tolist()
        return losses, right


def balanced_weights(targets: Targets, num_classes: int) -> Tensor:
    """Weights of the classes, float32 [num_classes], of which each has the same sum over its pictures; 1 on average."""
    counts = np.bincount(targets, minlength=num_classes)
    # A class without a picture is in no batch; any weight will do.
    return torch.from_numpy(len(targets) / (num_classes * np.maximum(counts, 1))).float()
