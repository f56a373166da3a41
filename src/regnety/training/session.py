"""One run in memory: the network with everything that trains it, epoch by epoch."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from regnety.datasets.samples import Sample
from regnety.errors import LossError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.training.batch_features import Features, features_in_training
from regnety.training.batch_plan import Targets
from regnety.training.batches import EvaluationBatches, TrainingBatches
from regnety.training.best_epochs import Weights
from regnety.training.best_weights import BestWeights
from regnety.training.checkpoints import Progression, checkpoints, load_checkpoint, save_checkpoint
from regnety.training.devices import PROCESSOR, Device, memory_for
from regnety.training.distribution.parallel import in_parallel
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.dropping import Dropping
from regnety.training.epoch_figures import EpochFigures
from regnety.training.epoch_weights import EpochWeights
from regnety.training.freed_memory import freed_memory_kept
from regnety.training.input_normalization import InputNormalization
from regnety.training.loop import StepRecord, train_epoch
from regnety.training.objective import Objective, balanced_weights
from regnety.training.optimisation.optimizers import make_optimizer
from regnety.training.optimisation.schedules import make_schedule
from regnety.training.optimisation.weight_average import WeightAverage, new_share
from regnety.training.recipes.recipe import Recipe
from regnety.training.step_time import mean_step_s
from regnety.training.teacher import Teacher

FEATURE_EPOCH = 10_000
"""Its augmentation is that of pictures whose features are asked for: a run never comes so far, so that it has not seen
them."""


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
        self._best = BestWeights(
            self.model.state_dict(),
            average_best=recipe.average_best,
            score=None if validation is None else self._epoch_weights.score,
        )
        self.steps_per_epoch = batches.steps_per_epoch
        self._batches = batches
        self.preprocessing = preprocessing
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
        share = new_share(recipe, batches.steps_per_epoch)
        self._average = None if share is None else WeightAverage(self.model, share)
        self._figures = EpochFigures(
            recipe,
            steps_per_epoch=batches.steps_per_epoch,
            num_validation=validation.count if validation else 0,
            device=device,
            workers=workers,
            quiet=quiet,
        )

    @property
    def best(self) -> Weights:
        """Weights of the best epoch so far; before the first those at the start."""
        return self._best.weights

    def restore(self, run: Path, *, begun_for: int) -> None:
        """Restore the newest checkpoint of a run, if it has one; `run_for` says how long the run is from there on.

        Args:
            run: the run's folder.
            begun_for: epochs of the run until now.
        """
        if found := checkpoints(run):
            self.progression, self._best.weights = load_checkpoint(
                found[-1],
                model=self.model,
                optimizer=self._optimizer,
                average=self._average,
                scaler=self._scaler,
                best_epochs=self._best.epochs,
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
            self._best.average(self.progression)

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
            best=self._best.weights,
            best_epochs=self._best.epochs,
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
        self._best.weights = self.model.state_dict()

    def rank_start(self) -> float:
        """Let the weights at the start count as an epoch, which the others have to be better than.

        Returns:
            Their accuracy on the validation pictures, in percent.
        """
        found = self._epoch_weights.score(self.model.state_dict())
        self._best.rank(self.progression, 0, self.model.state_dict(), top1=found["val_top1"], loss=found["val_loss"])
        self.progression.start_top1 = found["val_top1"]
        return found["val_top1"]

    def advance(self) -> dict[str, Any]:
        """Train and validate the next epoch; the answer is its row of metrics.jsonl.

        Raises:
            LossError: the loss is not finite.
            RecipeError: the card's memory is too small.
        """
        with memory_for(self.recipe.batch_size):
            return self._advance()

    def _advance(self) -> dict[str, Any]:
        started = time.monotonic()
        epoch = self.progression.epochs_done
        figures = self._figures.read(epoch, self._steps(epoch), epochs=self.recipe.epochs)
        row: dict[str, Any] = {"epoch": epoch + 1, **figures}
        # The loss of the last step is that before it: the step itself may have gone beyond all numbers.
        if not all(bool(weights.isfinite().all()) for weights in self.model.parameters()):
            raise LossError(f"the weights are not finite after epoch {epoch + 1}; lower optimizer.lr")
        kept, scores = self._epoch_weights.kept(epoch, self._average, self.model.state_dict())
        row |= scores
        top1, loss = row.get("val_top1", -1.0), row.get("val_loss", 0.0)
        self._best.rank(self.progression, epoch + 1, kept, top1=top1, loss=loss)
        self.progression.epochs_done = epoch + 1
        if self.has_ended:
            self._best.average(self.progression)
        row["seconds"] = round(time.monotonic() - started, 2)
        self.progression.seconds += row["seconds"]
        self.progression.history.append(row)
        return row

    def probabilities(self, samples: Sequence[Sample], classes: Sequence[str]) -> npt.NDArray[np.float32]:
        """What the best weights answer to pictures as evaluation sees them: float32 [N, C]; in this process alone."""
        batches = EvaluationBatches(samples, classes, self.preprocessing, batch_size=self.recipe.batch_size)
        return self._epoch_weights.probabilities(self.best, batches)

    def measure_step_s(self, measured_s: float, *, give_up_s: float = math.inf) -> float:
        """Seconds of a step, the mean over `measured_s` seconds of steps and at least two; the weights change by them.

        The first two do not count: they also wait for the first pictures and for memory. A step that takes longer than
        `give_up_s`, but for the first, is the last one and the answer.
        """
        return mean_step_s(chain.from_iterable(map(self._steps, count())), measured_s, give_up_s=give_up_s)

    def _steps(self, epoch: int) -> Iterator[StepRecord]:
        size = self.recipe.small_size(epoch)
        with freed_memory_kept():
            yield from train_epoch(
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
