"""The best weights of a run so far: those of its best epoch, or the average of the best few where that is better."""

from collections.abc import Callable, Mapping

from regnety.training.best_epochs import BestEpochs, RankedEpoch, Weights
from regnety.training.checkpoints import Progression


class BestWeights:
    """Ranks the epochs of a run; which one is the best is kept in its progression.

    Args:
        weights: those at the start.
        average_best: epochs that may be averaged at the end.
        score: `val_top1` in percent and `val_loss` of weights; None without validation pictures, where the last epoch
            is the best.
    """

    def __init__(
        self, weights: Weights, *, average_best: int, score: Callable[[Weights], Mapping[str, float]] | None
    ) -> None:
        self.weights = weights
        """Of the best epoch so far; before the first those at the start."""
        self.epochs = BestEpochs(average_best)
        self._score = score

    def rank(self, progression: Progression, epoch: int, weights: Weights, *, top1: float, loss: float) -> None:
        """Compare an epoch with those before; its weights are copied."""
        weights = {key: value.clone() for key, value in weights.items()}
        self.epochs.add(RankedEpoch(epoch=epoch, top1=top1, loss=loss, weights=weights))
        if top1 >= progression.best_top1 or self._score is None:
            self.weights = weights
            progression.best_epoch, progression.best_top1 = epoch, top1
            progression.averaged = []

    def average(self, progression: Progression) -> None:
        """Keep the average of the best epochs where it is right more often, or as often with a smaller loss."""
        ranked = self.epochs.ranked
        if self._score is None or len(ranked) < 2:
            return
        average = self.epochs.average()
        found = self._score(average)
        # The best so far may be the average of an earlier end, before the run was made longer.
        is_better = (found["val_top1"], -found["val_loss"]) > (ranked[0].top1, -ranked[0].loss)
        if is_better and found["val_top1"] >= progression.best_top1:
            self.weights = average
            progression.best_top1 = found["val_top1"]
            progression.averaged = sorted(epoch.epoch for epoch in ranked)
