"""What a recipe asks for, all of it, for whoever trains by one: its batches, and its session."""

from collections.abc import Sequence

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.network.modules import RegNet
from regnety.training.batch_plan import Pixels
from regnety.training.batches import EvaluationBatches, TrainingBatches, training_batches
from regnety.training.devices import Device
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.kept_pictures import TrainingImages
from regnety.training.session import FEATURE_EPOCH, Session
from regnety.training.starting_point import StartingPoint
from regnety.training.stem_whitening import whiten_stem
from regnety.training.teacher import Teacher


def recipe_batches(
    start: StartingPoint,
    samples: Sequence[Sample],
    classes: Sequence[str],
    *,
    device: Device,
    images: TrainingImages | None = None,
    whole: Pixels | None = None,
    workers: Workers = ALONE,
    quiet: bool = False,
) -> TrainingBatches:
    """The training pictures in a recipe's batches; arguments and errors as for `training_batches`."""
    recipe = start.recipe
    return training_batches(
        samples,
        classes,
        start.preprocessing,
        recipe.augmentation,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        steps_per_epoch=recipe.steps_per_epoch,
        images=images,
        whole=whole,
        device=device,
        workers=workers,
        pieces=recipe.accumulate,
        quiet=quiet,
    )


def recipe_session(
    start: StartingPoint,
    network: RegNet,
    batches: TrainingBatches,
    classes: Sequence[str],
    *,
    validation: EvaluationBatches | None,
    teacher: Bundle | None,
    device: Device,
    begun: bool,
    compiled: bool = False,
    workers: Workers = ALONE,
    quiet: bool,
) -> Session:
    """The session of a recipe, with its teacher, and with a whitened stem where it asks for one.

    Args:
        start: the recipe, resolved.
        network: of `start`.
        batches: of `recipe_batches`.
        classes: of the pictures, by index.
        validation: the pictures that choose the best epoch; None keeps the last one.
        teacher: of `checked_teacher`.
        device: where it is trained.
        begun: whether a checkpoint is restored next, which has all weights.
        compiled: let `torch.compile` make kernels for the network first.
        workers: who train together.
        quiet: print nothing on stderr.
    """
    recipe, preprocessing = start.recipe, start.preprocessing
    if recipe.whitened_stem and not begun:
        whiten_stem(network, batches, preprocessing, epoch=FEATURE_EPOCH, workers=workers)
    arithmetic = device.arithmetic(recipe.precision)
    return Session(
        network,
        recipe,
        batches=batches,
        validation=validation,
        preprocessing=preprocessing,
        device=device,
        compiled=compiled,
        workers=workers,
        teacher=None if teacher is None else Teacher(teacher, classes, preprocessing, recipe, device, arithmetic),
        quiet=quiet,
    )
