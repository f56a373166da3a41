"""How all layers are trained: the values that are good for most photographs, as a recipe."""

from dataclasses import replace

from regnety.datasets.samples import DataSplits
from regnety.training.recipes.optimizer import Optimizer
from regnety.training.recipes.recipe import Augmentation, Recipe

DEFAULT_EPOCHS = 20
"""Where neither a number nor a time limit is given."""
STEPS_PER_PASS = 12
"""A pass over few photographs has at least this many steps: with smaller batches."""
BATCH_SIZES = (8, 32)
"""Smallest and largest batch."""
SMALL_BATCH = 16
"""Below this batch norm keeps its statistics: those of so few pictures are mostly noise."""
LR = 0.01
"""For the largest batch."""
WARMUP_SHARE = 0.15
"""Of all epochs."""
MIN_AREA = 0.35
"""Smallest share of a photograph that a training crop keeps."""


def layer_recipe(
    splits: DataSplits, *, image_size: int, crop_pct: float, epochs: int, balanced: bool, patience: int, seed: int
) -> Recipe:
    """The recipe for all layers.

    Args:
        splits: the photographs.
        image_size: height and width of the input in pixels.
        crop_pct: share of the resized picture that evaluation keeps.
        epochs: passes over the training photographs.
        balanced: whether every class counts the same.
        patience: epochs without a better one after which the run ends; 0 for all epochs.
        seed: of order and augmentation.
    """
    batch_size = batch_size_for(len(splits.train))
    return Recipe(
        name="all layers",
        pretrained=True,
        image_size=image_size,
        crop_pct=crop_pct,
        epochs=epochs,
        batch_size=batch_size,
        warmup_epochs=WARMUP_SHARE * epochs,
        ema_decay=0.998,
        label_smoothing=0.1,
        class_weights="balanced" if balanced else "equal",
        batch_norm="kept" if batch_size < SMALL_BATCH else "batch",
        patience=patience,
        average_best=3,
        val_fraction=0.0,  # what chooses the best epoch is in the splits
        seed=seed,
        # Norms of 30 are usual at first, and of 5 later. A classifier with large weights, as on classes that are told
        # apart with ease, would give a hundred times that, and the loss would not stay finite. Clipping what is usual
        # costs accuracy: at 5 hand signs lost 2 points, at 1 they lost 8.
        optimizer=Optimizer(lr=LR * batch_size / BATCH_SIZES[1], layer_decay=0.95, clip_norm=50.0),
        # The smallest crops, 0.6 of the picture's side, then have nine tenths of the input's pixels on each side.
        augmentation=Augmentation(crop="resized", min_area=MIN_AREA, kept_side=3 * image_size // 2),
    )


def in_epochs(recipe: Recipe, epochs: int, *, steps_per_epoch: int) -> Recipe:
    """The same for another number of epochs, each of so many steps; the warm-up keeps its share of them."""
    return replace(recipe, epochs=epochs, steps_per_epoch=steps_per_epoch, warmup_epochs=WARMUP_SHARE * epochs)


def batch_size_for(count: int) -> int:
    """Photographs per step: a power of two."""
    smallest, largest = BATCH_SIZES
    size = largest
    while size > smallest and count < STEPS_PER_PASS * size:
        size //= 2
    return size
