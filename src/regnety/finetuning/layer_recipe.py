"""How all layers are trained: the values that are good for most photographs, as a recipe."""

from regnety.datasets.samples import DataSplits
from regnety.training.recipes.recipe import Augmentation, Optimizer, Recipe

DEFAULT_EPOCHS = 20
"""Where neither a number nor a time limit is given."""
STEPS_PER_PASS = 12
"""A pass over few photographs has at least this many steps: with smaller batches."""
BATCH_SIZES = (8, 64)
"""Smallest and largest batch."""
SMALL_BATCH = 16
"""Below this batch norm keeps its statistics: those of so few pictures are mostly noise."""
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
        warmup_epochs=1,
        ema_decay=0.998,
        label_smoothing=0.1,
        class_weights="balanced" if balanced else "equal",
        batch_norm="kept" if batch_size < SMALL_BATCH else "batch",
        patience=patience,
        average_best=3,
        val_fraction=0.0,  # what chooses the best epoch is in the splits
        seed=seed,
        # A classifier with large weights, as on classes that are told apart with ease, gives large gradients at first.
        optimizer=Optimizer(lr=0.02 * batch_size / 64, layer_decay=0.9, clip_norm=1.0),
        # The smallest crops, 0.6 of the picture's side, then have nine tenths of the input's pixels on each side.
        augmentation=Augmentation(crop="resized", min_area=MIN_AREA, kept_side=3 * image_size // 2),
    )


def batch_size_for(count: int) -> int:
    """Photographs per step: a power of two."""
    smallest, largest = BATCH_SIZES
    size = largest
    while size > smallest and count < STEPS_PER_PASS * size:
        size //= 2
    return size
