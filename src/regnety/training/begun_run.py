"""The beginning of a run: what is there is looked at, and the run's folder is opened and records what is trained on."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from regnety.datasets.data_sets import read_data_set
from regnety.datasets.samples import Sample
from regnety.errors import RecipeError
from regnety.notices import say
from regnety.storage.locks import alone_in
from regnety.text import counted
from regnety.training.distribution.workers import Workers
from regnety.training.pictures import RunPictures, look_at_pictures
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_bundle import RunResult, finished_result
from regnety.training.run_folder import (
    LOCK_NAME,
    RECIPE_FILE,
    check_checkpoint,
    check_run,
    has_begun,
    open_run,
    validation_split,
)
from regnety.training.teacher import checked_teacher
from regnety.training.unlabelled import check_none_were_there, labelled_by


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunRun:
    """What a run is trained with, as its folder records it."""

    pictures: RunPictures
    train: Sequence[Sample]
    val: Sequence[Sample]
    num_labelled: int
    """Pictures of `train` that the teacher has labelled."""
    stored: Recipe | None
    """The recipe that the run began with, if it is resumed."""


def begin_run(
    data: str | Path,
    val_data: str | Path | None,
    run: Path,
    recipe: Recipe,
    *,
    unlabelled: Path | None,
    workers: Workers,
    resume: bool,
    skip_unreadable: bool,
    quiet: bool,
    held: ExitStack,
) -> BegunRun | RunResult:
    """Look at what is there, and open the run's folder, which belongs to this process until `held` is closed.

    Arguments are those of `train`; the recipe is resolved. Everything that can be refused is refused before the folder
    is written to.

    Returns:
        The result, if the run has finished.

    Raises:
        DataError: the data cannot be trained on, or has changed since the run began.
        ImageError: pictures cannot be read.
        RecipeError: the recipe contradicts the run that is there or the data, or another process trains in the folder.
    """
    stored = check_run(run, recipe, resume=resume)
    if stored is not None and (ended := ended_run(run, recipe, quiet=quiet)) is not None:
        return ended
    if stored is not None:
        check_checkpoint(run)
    if resume and stored is None:  # a mistyped folder must not train for a night unnoticed
        lack = "no finished epoch" if (run / RECIPE_FILE).exists() else "no run"
        say(f"{run}: holds {lack} to resume; starting one", quiet=quiet)
    data_set = read_data_set(data, val_data=val_data, quiet=quiet)
    data_set.check_output(run)
    splits = data_set.training()
    for notice in data_set.notices:
        say(notice, quiet=quiet)
    pictures = look_at_pictures(splits, run, begun=has_begun(run), skip_unreadable=skip_unreadable, quiet=quiet)
    teacher = checked_teacher(recipe, pictures.splits.classes)
    if unlabelled is not None and teacher is None:
        raise RecipeError(
            "unlabelled photographs (--unlabelled) need a teacher that gives them labels: --teacher MODEL"
        )
    held.enter_context(alone_in(run, LOCK_NAME, doing="training"))
    check_run(run, recipe, resume=resume)  # another process may have begun it while the pictures were checked
    open_run(run, recipe)
    train_samples, val_samples = validation_split(run, pictures.splits, recipe)
    more: tuple[Sample, ...] = ()
    if unlabelled is None or teacher is None:
        check_none_were_there(run)
    else:
        more, unreadable = labelled_by(teacher, unlabelled, run, quiet=quiet)
        left_out = f"; {unreadable} more cannot be read" if unreadable else ""
        say(f"{unlabelled}: {counted(len(more), 'photograph')} labelled by {teacher.name}{left_out}", quiet=quiet)
    # Here, where it is said once; a batch has no more pictures than there are.
    workers.part(min(recipe.batch_size, len(train_samples) + len(more)), pieces=recipe.accumulate)
    pictures.write(run)
    return BegunRun(
        pictures=pictures, train=(*train_samples, *more), val=val_samples, num_labelled=len(more), stored=stored
    )


def ended_run(run: Path, recipe: Recipe, *, quiet: bool) -> RunResult | None:
    """The result of a run that has finished, which is said; None if something is left to do."""
    result = finished_result(run, recipe)
    if result is not None:
        say(f"{run}: has already finished, after {counted(result.epochs, 'epoch')}; nothing to do", quiet=quiet)
    return result
