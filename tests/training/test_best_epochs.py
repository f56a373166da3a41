"""The weights that a run keeps: the best epochs, and their average."""

import numpy as np
import pytest
import torch

from regnety.training.best_epochs import BestEpochs, RankedEpoch, Weights
from regnety.training.best_weights import BestWeights
from regnety.training.checkpoints import Progression
from regnety.training.objective import balanced_weights


def ranked(epoch: int, top1: float) -> RankedEpoch:
    weights = {"weight": torch.tensor([float(epoch), 1.0]), "count": torch.tensor(epoch)}
    return RankedEpoch(epoch=epoch, top1=top1, loss=1.0, weights=weights)


def test_the_best_are_kept_and_of_equals_the_later() -> None:
    best = BestEpochs(3)
    for epoch, top1 in enumerate((50.0, 90.0, 10.0, 90.0, 60.0)):
        best.add(ranked(epoch, top1))
    assert [epoch.epoch for epoch in best.ranked] == [3, 1, 4]
    average = best.average()
    assert average["weight"].tolist() == pytest.approx([(3 + 1 + 4) / 3, 1.0])
    assert average["count"].item() == 3  # of the best


def test_what_a_checkpoint_has_is_taken_over() -> None:
    best, again = BestEpochs(2), BestEpochs(2)
    for epoch in range(3):
        best.add(ranked(epoch, float(epoch)))
    again.restore(best.as_list())
    assert [epoch.rank for epoch in again.ranked] == [(2.0, 2), (1.0, 1)]
    assert torch.equal(again.average()["weight"], best.average()["weight"])


def of_a_run(scores: list[float], *, of_the_average: float, validated: bool = True) -> tuple[Progression, Weights]:
    """What is kept of epochs with these accuracies, whose weights are their numbers, and with an average of the two."""
    progression = Progression(epochs_done=0, history=[], best_epoch=0, best_top1=-1.0, seconds=0.0)

    def score(_: Weights) -> dict[str, float]:
        return {"val_top1": of_the_average, "val_loss": 0.5}

    best = BestWeights({"weight": torch.zeros(1)}, average_best=2, score=score if validated else None)
    for epoch, top1 in enumerate(scores, 1):
        best.rank(progression, epoch, {"weight": torch.tensor([float(epoch)])}, top1=top1, loss=1.0)
    best.average(progression)
    return progression, best.weights


def test_the_average_is_kept_where_it_is_better_or_has_a_smaller_loss() -> None:
    for of_the_average in (80.0, 70.0):
        progression, weights = of_a_run([50.0, 70.0, 60.0], of_the_average=of_the_average)
        assert (progression.best_epoch, progression.best_top1) == (2, of_the_average)
        assert progression.averaged == [2, 3]
        assert weights["weight"].item() == 2.5


def test_an_average_that_is_right_less_often_is_dropped() -> None:
    progression, weights = of_a_run([50.0, 70.0, 60.0], of_the_average=69.0)
    assert (progression.best_epoch, progression.best_top1, progression.averaged) == (2, 70.0, [])
    assert weights["weight"].item() == 2.0


def test_without_validation_the_last_epoch_is_kept() -> None:
    progression, weights = of_a_run([-1.0, -1.0], of_the_average=80.0, validated=False)
    assert (progression.best_epoch, progression.best_top1, progression.averaged) == (2, -1.0, [])
    assert weights["weight"].item() == 2.0


def test_every_class_has_the_same_sum_of_weights() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [2])
    weights = balanced_weights(targets, 3)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(np.bincount(targets) * weights.numpy(), [3, 3, 3])
    assert balanced_weights(targets, 4).isfinite().all()


def test_weights_from_a_checkpoint_are_averaged_with_those_on_a_card() -> None:
    best = BestEpochs(2)
    best.add(ranked(1, 50.0))
    on_card = RankedEpoch(epoch=2, top1=60.0, loss=1.0, weights={"weight": torch.ones(2, device="meta")})
    best.add(on_card)
    assert best.average()["weight"].device.type == "meta"


def test_an_average_is_not_replaced_by_a_worse_one_after_the_run_was_made_longer() -> None:
    progression = Progression(epochs_done=2, history=[], best_epoch=2, best_top1=-1.0, seconds=0.0)
    scores = iter([80.0, 79.0])
    score = lambda _: {"val_top1": next(scores), "val_loss": 0.5}  # noqa: E731
    best = BestWeights({"weight": torch.zeros(1)}, average_best=2, score=score)
    for epoch, top1 in enumerate((50.0, 70.0, 60.0), 1):
        best.rank(progression, epoch, {"weight": torch.tensor([float(epoch)])}, top1=top1, loss=1.0)
        if epoch == 2:
            best.average(progression)
    best.average(progression)
    assert (progression.best_top1, progression.averaged) == (80.0, [1, 2])
    assert best.weights["weight"].item() == 1.5
