"""Mixing and erasing: what is mixed, by how much, and that the shares are those of the pixels."""

import numpy as np
import pytest
import torch

from regnety import RecipeError
from regnety.training.mixing import mixed
from regnety.training.recipes.recipe import Augmentation

LABELS = torch.arange(8)


def pictures() -> torch.Tensor:
    """Each picture has the value 1 + its number everywhere."""
    return (1.0 + LABELS.float())[:, None, None, None].expand(8, 3, 20, 30).clone()


def test_mixup_blends_each_picture_with_its_partner() -> None:
    images = pictures()
    batch = mixed(images, LABELS, Augmentation(mixup=1.0), seed=0, step=5)
    assert 0 < batch.share < 1
    assert batch.others.tolist() == LABELS.flip(0).tolist()
    expected = batch.share * (1 + LABELS.float()) + (1 - batch.share) * (1 + LABELS.flip(0).float())
    torch.testing.assert_close(batch.images, expected[:, None, None, None].expand_as(images))


def test_cutmix_covers_a_box_and_counts_its_pixels() -> None:
    shares = []
    for step in range(200):
        batch = mixed(pictures(), LABELS, Augmentation(cutmix=1.0), seed=0, step=step)
        own = (batch.images == (1.0 + LABELS.float())[:, None, None, None]).float().mean((1, 2, 3))
        assert own.tolist() == pytest.approx([batch.share] * 8)
        shares.append(batch.share)
    assert 0.5 < np.mean(shares) < 0.7  # a uniform share is 0.5; boxes that are cut off at the border leave more


def test_a_part_of_the_batches_is_mixed() -> None:
    augmentation = Augmentation(cutmix=1.0, mixup=0.2, mixed_share=0.25)
    whole = [mixed(pictures(), LABELS, augmentation, seed=2, step=step).share == 1 for step in range(400)]
    assert 0.69 < np.mean(whole) < 0.83


def test_erasing_sets_boxes_of_the_chosen_share_to_zero() -> None:
    touched, areas = [], []
    for step in range(100):
        batch = mixed(pictures(), LABELS, Augmentation(erasing=0.5), seed=1, step=step)
        assert batch.share == 1
        erased = (batch.images == 0).all(1)  # [N, H, W]
        for picture in erased:
            rows, columns = picture.any(1).sum(), picture.any(0).sum()
            assert picture.sum() == rows * columns  # a box
            if touches := bool(picture.any()):
                areas.append(float(picture.float().mean()))
            touched.append(touches)
    assert 0.43 < np.mean(touched) < 0.57
    assert min(areas) > 0.01
    assert max(areas) < 0.4
    assert 0.12 < np.mean(areas) < 0.2


def test_the_same_seed_and_step_give_the_same_batch() -> None:
    augmentation = Augmentation(mixup=0.5, cutmix=1.0, erasing=0.3)
    first, again, other = (mixed(pictures(), LABELS, augmentation, seed=4, step=step) for step in (7, 7, 8))
    assert torch.equal(first.images, again.images)
    assert first.share == again.share
    assert not torch.equal(first.images, other.images)


@pytest.mark.parametrize("values", [{"mixup": -1}, {"cutmix": -0.1}, {"mixed_share": 1.5}, {"erasing": 2}])
def test_values_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"augmentation.{next(iter(values))}"):
        Augmentation(**values)
