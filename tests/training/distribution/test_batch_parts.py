"""Parts of a batch: together the batch, and each closed under reading it backwards."""

import numpy as np
import pytest
import torch
from threaded_workers import in_threads

from regnety import RecipeError
from regnety.training.distribution.batch_parts import part_of_batch
from regnety.training.distribution.workers import Workers
from regnety.training.mixing import mixed
from regnety.training.objective import Objective
from regnety.training.recipes.recipe import Augmentation


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [10, 11, 64, 127])
def test_parts_are_the_batch_in_pairs(batch_size: int, workers: int) -> None:
    parts = [part_of_batch(batch_size, rank=rank, workers=workers) for rank in range(workers)]
    assert sorted(place for part in parts for place in part.places.tolist()) == list(range(batch_size))
    sizes = [len(part.places) for part in parts]
    assert max(sizes) - min(sizes) <= 2 + batch_size % 2
    for part in parts:
        assert np.array_equal(part.places[::-1], batch_size - 1 - part.places)
        assert [piece.tolist() for piece in part.pieces] == [list(range(len(part.places)))]


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("batch_size", [24, 25])
def test_a_piece_has_the_same_pictures_with_any_number_of_workers(batch_size: int, workers: int) -> None:
    """As batch norm takes its statistics from a piece."""
    alone = part_of_batch(batch_size, rank=0, workers=1, pieces=4)
    assert sorted(np.concatenate(alone.pieces).tolist()) == list(range(batch_size))
    parts = [part_of_batch(batch_size, rank=rank, workers=workers, pieces=4) for rank in range(workers)]
    for number, piece in enumerate(alone.pieces):
        shared = [part.places[part.pieces[number]] for part in parts]
        assert all(len(own) for own in shared)
        assert sorted(np.concatenate(shared).tolist()) == piece.tolist()
    for part in parts:
        assert np.array_equal(part.places[::-1], batch_size - 1 - part.places)


def test_a_batch_that_is_too_small_is_one_line() -> None:
    assert len(part_of_batch(3, rank=1, workers=2).places) == 1
    with pytest.raises(RecipeError, match=r"a batch of 4 cannot be divided among 3 workers.*at most 2 workers"):
        part_of_batch(4, rank=0, workers=3)
    with pytest.raises(RecipeError, match=r"a batch of 16 in 4 parts cannot be divided among 3 workers.*at least 24"):
        part_of_batch(16, rank=0, workers=3, pieces=4)


@pytest.mark.parametrize("batch_size", [12, 13])
@pytest.mark.parametrize("augmentation", [Augmentation(mixup=0.4), Augmentation(cutmix=1.0), Augmentation(erasing=0.5)])
def test_parts_see_the_mixed_pictures_of_the_whole_batch(augmentation: Augmentation, batch_size: int) -> None:
    images = torch.randn(batch_size, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(batch_size)
    for step in range(5):
        whole = mixed(images.clone(), labels, augmentation, seed=3, step=step)
        for rank in range(3):
            part = part_of_batch(batch_size, rank=rank, workers=3)
            own = mixed(images[part.places].clone(), labels[part.places], augmentation, seed=3, step=step, part=part)
            assert own.share == whole.share
            assert torch.equal(own.images, whole.images[part.places])
            assert torch.equal(own.others, whole.others[part.places])


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 4.0])])
def test_the_losses_and_gradients_of_parts_add_up_to_those_of_the_batch(weights: torch.Tensor | None) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(7, 3, generator=generator), torch.tensor([0, 0, 2, 1, 0, 2, 0])
    criterion = torch.nn.CrossEntropyLoss(weights, label_smoothing=0.1)
    expected_logits = logits.clone().requires_grad_()
    expected = criterion(expected_logits, labels)
    expected.backward()

    def work(workers: Workers) -> tuple[torch.Tensor, torch.Tensor | None]:
        part = workers.part(7)
        own = logits[part.places].requires_grad_()
        objective = Objective(label_smoothing=0.1, class_weights=weights, workers=workers)
        mine = labels[part.places]
        loss = objective(own, mine, mine, 1.0) / objective.divisor(mine, mine, 1.0)
        loss.backward()
        return loss.detach(), own.grad

    found = in_threads(2, work)
    torch.testing.assert_close(sum(loss for loss, _ in found), expected.detach())
    for rank, (_, gradient) in enumerate(found):
        assert gradient is not None
        assert expected_logits.grad is not None
        torch.testing.assert_close(gradient, expected_logits.grad[part_of_batch(7, rank=rank, workers=2).places])
