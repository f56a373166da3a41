"""The session of a run: its network, its batches and its teacher, as far as the run has come."""

import math
from pathlib import Path

from regnety.notices import say
from regnety.text import counted
from regnety.training.batches import EvaluationBatches
from regnety.training.begun_run import BegunRun
from regnety.training.checkpoints import checkpoints
from regnety.training.devices import Device
from regnety.training.distribution.workers import Workers
from regnety.training.recipe_session import recipe_batches, recipe_session
from regnety.training.run_notices import say_what_is_trained, say_where_it_is
from regnety.training.session import Session
from regnety.training.starting_point import StartingPoint
from regnety.training.teacher import checked_teacher


def session_of(
    run: Path, start: StartingPoint, begun: BegunRun, *, device: Device, compiled: bool, workers: Workers, quiet: bool
) -> Session:
    """The session in which a run begins, or goes on after its last checkpoint; what it trains, and how, is said.

    Args:
        run: the run's folder.
        start: the network, and the recipe.
        begun: the pictures.
        device: where it is trained.
        compiled: let `torch.compile` make kernels for the network first.
        workers: who train the run together.
        quiet: say nothing on stderr.

    Raises:
        DataError: the pictures do not fit into memory.
        ImageError: a picture cannot be read.
        RecipeError: the checkpoint is damaged.
    """
    recipe, preprocessing, classes = start.recipe, start.preprocessing, begun.pictures.splits.classes
    arithmetic = device.arithmetic(recipe.precision)
    teacher = checked_teacher(recipe, classes)
    if workers.count > 1:
        say(f"{workers.count} processes share each batch of {recipe.batch_size}", quiet=quiet)
    if not device.is_processor:
        say(f"on {device.name}, in {arithmetic}", quiet=quiet)
    network, begins_with = start.network(classes)
    say_what_is_trained(
        begun.pictures.splits,
        start,
        num_train=len(begun.train),
        num_val=len(begun.val),
        num_unreadable=len(begun.pictures.unreadable),
        quiet=quiet,
    )
    batches = recipe_batches(start, begun.train, classes, device=device, workers=workers, quiet=quiet)
    if batches.steps_per_epoch == 1:
        say(
            f"{counted(len(begun.train), 'photograph')} are one batch of {recipe.batch_size}: 1 step per "
            "epoch; a smaller --batch-size (batch_size=) trains better",
            quiet=quiet,
        )
    validation = None
    if begun.val:
        at_once = math.ceil(recipe.batch_size / recipe.accumulate)
        validation = EvaluationBatches(begun.val, classes, preprocessing, batch_size=at_once, workers=workers)
    session = recipe_session(
        start,
        network,
        batches,
        classes,
        validation=validation,
        teacher=teacher,
        device=device,
        begun=bool(checkpoints(run)),
        compiled=compiled,
        workers=workers,
        quiet=quiet,
    )
    session.restore(run, begun_for=(begun.stored or recipe).epochs)
    session.run_for(recipe.epochs)
    say_where_it_is(run, session.progression, epochs=recipe.epochs, begins_with=begins_with, quiet=quiet)
    return session
