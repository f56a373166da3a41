"""Which weights an epoch is kept with, and how good they are."""

import copy
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from regnety.network.modules import RegNet
from regnety.training.batches import EvaluationBatches, TrainingBatches
from regnety.training.best_epochs import Weights
from regnety.training.devices import Device
from regnety.training.distribution.synchronized_norm import synchronize_batch_norm
from regnety.training.distribution.workers import Workers
from regnety.training.input_normalization import InputNormalization
from regnety.training.lighting import lit
from regnety.training.loop import on_device, probabilities_of, top1_of
from regnety.training.optimisation.precise_statistics import set_precise_statistics
from regnety.training.optimisation.weight_average import WeightAverage
from regnety.training.recipes.recipe import Recipe

AVERAGED = "averaged"
"""Field of a row of metrics.jsonl: 1 where the averaged weights of an epoch were kept, 0 where the last ones; absent
where the recipe leaves no choice."""


class EpochWeights:
    """Looks at weights in a network of its own, as the one that is trained goes on with others.

    Args:
        model: which is copied; with batch norm as of one process.
        recipe: what is kept, and with which statistics of batch norm.
        batches: the training pictures.
        validation: the pictures that weights are compared on; None compares none.
        normalize: the input.
        device: where the network is.
        workers: who train the same run together; `batches` and `validation` are this one's.
    """

    def __init__(
        self,
        model: RegNet,
        recipe: Recipe,
        *,
        batches: TrainingBatches,
        validation: EvaluationBatches | None,
        normalize: InputNormalization,
        device: Device,
        workers: Workers,
    ) -> None:
        self._network = copy.deepcopy(model)
        if workers.count > 1 and recipe.precise_bn_samples:
            synchronize_batch_norm(self._network, workers)
        self._recipe = recipe
        self._batches = batches
        self._validation = validation
        self._normalize = normalize
        self._device = device
        self._arithmetic = device.arithmetic(recipe.precision)
        self._workers = workers

    def kept(self, epoch: int, average: WeightAverage | None, last: Weights) -> tuple[Weights, dict[str, Any]]:
        """The weights that an epoch is kept with, and their part of its row of metrics.jsonl.

        Args:
            epoch: counted from 0.
            average: None where the recipe averages nothing.
            last: the weights after the last step.
        """
        may_choose, candidates = self._recipe.ema_kept == "better", {"last": last}
        if average is not None and (self._validation is not None or not may_choose):
            # First: of those that are as good it is taken.
            candidates = {AVERAGED: average.state, **(candidates if may_choose else {})}
        candidates = {name: self._with_precise_statistics(weights, epoch) for name, weights in candidates.items()}
        scores = {name: {} if self._validation is None else self.score(each) for name, each in candidates.items()}
        name = next(iter(candidates))
        if self._validation is not None:
            name = max(scores, key=lambda name: (scores[name]["val_top1"], -scores[name]["val_loss"]))
        chosen = {AVERAGED: int(name == AVERAGED)} if may_choose else {}
        return candidates[name], {**scores[name], **chosen}

    def score(self, weights: Weights) -> dict[str, float]:
        """`val_top1` in percent and `val_loss` of weights on the validation pictures, of which there must be some."""
        assert self._validation is not None
        self._network.load_state_dict(weights)
        if not self._recipe.sync_batchnorm:  # the leader's are kept, and each worker has its own
            for statistics in self._network.buffers():
                self._workers.same(statistics)
        top1, loss = top1_of(
            self._network,
            self._validation,
            normalize=self._normalize,
            device=self._device,
            arithmetic=self._arithmetic,
            workers=self._workers,
        )
        return {"val_top1": top1, "val_loss": loss}

    def probabilities(self, weights: Weights, batches: EvaluationBatches) -> npt.NDArray[np.float32]:
        """What weights answer to pictures that this process looks at alone: [count, classes]."""
        self._network.load_state_dict(weights)
        found = probabilities_of(
            self._network, batches, normalize=self._normalize, device=self._device, arithmetic=self._arithmetic
        )
        return np.concatenate(list(found))

    def _with_precise_statistics(self, weights: Weights, epoch: int) -> Weights:
        """The same weights, with statistics of batch norm over the first batches of the epoch that was trained."""
        samples = self._recipe.precise_bn_samples
        if not samples:
            return weights
        self._network.load_state_dict(weights)
        batches = islice(self._batches.epoch(epoch), max(1, samples // self._recipe.batch_size))
        lighting, std = self._recipe.augmentation.lighting, self._normalize.std / 255
        first_step, part = epoch * self._batches.steps_per_epoch, self._batches.part

        def images() -> Iterator[Tensor]:
            """In the light in which the network was trained, as pycls's loader has them."""
            for step, (pixels, _) in enumerate(batches, start=first_step):
                normalized = self._normalize(on_device(pixels, self._device))
                if lighting:
                    normalized = lit(normalized, lighting, std, seed=self._recipe.seed, step=step, part=part)
                yield normalized

        with self._device.autocast(self._arithmetic):
            # In the pieces that batch norm saw in training, which are also what fits into memory.
            set_precise_statistics(
                self._network,
                (some[piece] for some in images() for piece in part.pieces),
            )
        return {key: value.clone() for key, value in self._network.state_dict().items()}
