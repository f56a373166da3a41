"""The weights that a run keeps: the best epochs, and their average."""

import numpy as np
import pytest
import torch

from regnety.training.best_epochs import BestEpochs, RankedEpoch
from regnety.training.session import balanced_weights


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


def test_every_class_has_the_same_sum_of_weights() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [2])
    weights = balanced_weights(targets, 3)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(np.bincount(targets) * weights.numpy(), [3, 3, 3])
    assert balanced_weights(targets, 4).isfinite().all()
