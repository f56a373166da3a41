"""The session of a run: its network, its batches and its teacher, as far as the run has come."""

import dataclasses
import hashlib
import math
from pathlib import Path

import torch

from regnety.errors import ClusterError
from regnety.notices import say
from regnety.text import counted
from regnety.training.batches import EvaluationBatches
from regnety.training.begun_run import BegunRun
from regnety.training.checkpoints import checkpoints
from regnety.training.devices import Device
from regnety.training.distribution.workers import Workers
from regnety.training.recipe_session import recipe_batches, recipe_session
from regnety.training.recipes.recipe import Recipe
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
        ClusterError: the workers see different checkpoints.
    """
    start = dataclasses.replace(start, recipe=_in_one_arithmetic(start.recipe, device, workers))
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
        begun=workers.from_leader(bool(checkpoints(run))),
        compiled=compiled,
        workers=workers,
        quiet=quiet,
    )
    session.restore(run, begun_for=(begun.stored or recipe).epochs)
    _check_same(run, session, workers)
    session.run_for(recipe.epochs)
    say_where_it_is(run, session.progression, epochs=recipe.epochs, begins_with=begins_with, quiet=quiet)
    return session


def _in_one_arithmetic(recipe: Recipe, device: Device, workers: Workers) -> Recipe:
    """The recipe with what `auto` means for all workers: one of them may run on hardware without bf16."""
    own = device.arithmetic(recipe.precision)
    if workers.count == 1 or recipe.precision != "auto":
        return recipe
    have_bf16 = int(workers.sum(torch.tensor(int(own == "bf16"))))
    return dataclasses.replace(recipe, precision="bf16" if have_bf16 == workers.count else "f32")


def _check_same(run: Path, session: Session, workers: Workers) -> None:
    """Refuse to go on where the workers' networks differ: nothing later would make them equal."""
    if workers.count == 1:
        return
    digest = hashlib.sha256(str(session.progression.epochs_done).encode())
    for weights in session.model.state_dict().values():
        digest.update(weights.cpu().contiguous().numpy().tobytes())
    differs = digest.hexdigest() != workers.from_leader(digest.hexdigest())
    if number := int(workers.sum(torch.tensor(int(differs)))):
        raise ClusterError(
            f"{run}: {number} of {workers.count} workers find other checkpoints there than the first; the folder has "
            "to be on a disk that all machines share"
        )
