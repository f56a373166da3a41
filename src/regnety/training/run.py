"""A training run: from a data folder and a recipe to a folder with metrics, checkpoints and a bundle."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from regnety.datasets.data_sets import read_data_set
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import ClusterError, ImageError, RecipeError
from regnety.storage import alone_in
from regnety.text import counted
from regnety.training.batches import EvaluationBatches, training_batches
from regnety.training.devices import Device, find_device
from regnety.training.distribution.cluster import run_on_cluster
from regnety.training.distribution.workers import Workers, joined
from regnety.training.pictures import RunPictures, look_at_pictures
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_bundle import RunBundle, epoch_line, finished_result, training_files_of
from regnety.training.run_bundle import RunResult as RunResult
from regnety.training.run_folder import (
    LOCK_NAME,
    RECIPE_FILE,
    check_run,
    has_begun,
    open_run,
    validation_split,
    write_history,
)
from regnety.training.selection import select_recipe
from regnety.training.session import Session
from regnety.training.starting_point import StartingPoint, resolve_recipe
from regnety.training.teacher import Teacher, checked_teacher
from regnety.training.unlabelled import check_none_were_there, labelled_by
from regnety.training.watching import Watcher, watchers_of


def train(
    data: str | Path,
    output: str | Path,
    recipe: Recipe | str | None = None,
    *,
    model: str | None = None,
    design: str | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
    resume: bool = False,
    keep: int = 2,
    skip_unreadable: bool = False,
    device: str = "auto",
    compiled: bool = False,
    ray: str | None = None,
    ray_workers: int | tuple[int, int] | None = None,
    gpus_per_worker: float = 0,
    unlabelled: str | Path | None = None,
    tensorboard: bool = False,
    mlflow: str | None = None,
    quiet: bool = False,
    command: str | None = None,
) -> RunResult:
    """Train on labelled images; the run folder holds recipe.yaml, metrics.jsonl, summary.csv, checkpoints/, bundle/.

        train("flowers", "runs/flowers", model="regnety_cifar10", settings=["epochs=10"])

    With `resume` a killed run continues from its last checkpoint and ends with the same weights. The bundle is there
    from the first epoch on, with the weights of the best epoch so far.

    Under `torchrun`, and with `ray`, several processes share each batch; the weights do not depend on their number, but
    for the rounding of sums.

    Args:
        data: a folder with `train/` (and `val/`, `test/`), or class folders alone; or any other data set
            (`regnety.datasets.data_sets.read_data_set`).
        output: the run folder.
        recipe: a recipe's name, its YAML file, or a `Recipe`, which is followed as it is; None trains `design` from
            scratch, fine-tunes `model`, or else fine-tunes the model that comes with the package.
        model: the model to start from, in place of the recipe's.
        design: the design to train, as `depth=13,w0=24,...`, in place of the recipe's model.
        settings: values in place of the recipe's, each `key=value` (`optimizer.lr=0.02`), or a table of them
            (`{"optimizer.lr": 0.02}`).
        resume: continue the run in `output`. If there is none, a line on stderr says so and a run begins; of a finished
            run the result is returned.
            More epochs than the run has stretch the schedule over the new length.
        keep: number of checkpoints to keep.
        skip_unreadable: train without pictures that cannot be read, for the whole run.
        device: `cpu`, `cuda`, `mps`, or `auto`, a graphics card where torch finds one.
        compiled: let `torch.compile` make kernels for the network first. It takes a minute or more, and then steps are
            faster on a graphics card.
        ray: train on a Ray cluster: `local` starts one on this machine, `auto` is the one that runs, or HOST:PORT. All
            its machines have `data` and `output` at the same place. A run that loses workers goes on by itself.
        ray_workers: processes on the cluster, or the fewest and the most; None is as many as there is room for.
        gpus_per_worker: graphics cards of each; 0 trains on processors.
        unlabelled: folder of more photographs to train on, which the recipe's teacher gives their labels.
        tensorboard: write TensorBoard's files to `tensorboard/` in the run's folder.
        mlflow: address of an MLflow server, or its folder, that gets the values of the recipe and of each epoch.
        quiet: say nothing on stderr.
        command: the command line, for the model's card.

    Returns:
        Where the bundle is, and its accuracies in percent.

    Raises:
        DataError: the data folder cannot be trained on, or has changed since the run began.
        ImageError: pictures cannot be read (`UnreadablePicturesError`, before the first step), or one no longer can.
        RecipeError: the recipe contradicts itself, the device or the run in `output`; there is no such device, or no
            such MLflow server.
        ClusterError: there is no such cluster, or its workers end again and again.
        MissingExtraError: TensorBoard's or MLflow's package is not installed.
    """
    run = Path(output)
    if not isinstance(recipe, Recipe):
        recipe = select_recipe(
            run,
            model=model,
            design=design,
            recipe=recipe,
            settings=_settings(settings),
            options={},
            resume=resume,
            source="settings",
        )
    elif model is not None or design is not None or settings:
        raise RecipeError(f"recipe {recipe.name}: a Recipe is followed as it is; give model, design or settings in it")
    if ray is not None:
        return _train_on_cluster(
            data,
            run,
            resolve_recipe(recipe).recipe,
            address=ray,
            workers=(ray_workers, ray_workers) if isinstance(ray_workers, int) else ray_workers,
            gpus_per_worker=gpus_per_worker,
            resume=resume,
            quiet=quiet,
            keep=keep,
            skip_unreadable=skip_unreadable,
            device=device,
            compiled=compiled,
            unlabelled=None if unlabelled is None else os.path.abspath(unlabelled),
            tensorboard=tensorboard,
            mlflow=mlflow,
            command=command,
        )
    # Everything that can be refused is refused before anything is written: here a precision that the device lacks.
    place = find_device(device)
    place.arithmetic(recipe.precision)
    start = resolve_recipe(recipe)
    with joined(place) as workers, ExitStack() as held:
        quiet = quiet or not workers.is_leader
        watchers: list[Watcher] = []  # of the leader

        def begin() -> _BegunRun | RunResult:
            watchers.extend(watchers_of(run, start.recipe, tensorboard=tensorboard, mlflow=mlflow))
            return _begin(
                data,
                run,
                start.recipe,
                unlabelled=None if unlabelled is None else Path(unlabelled),
                workers=workers,
                resume=resume,
                skip_unreadable=skip_unreadable,
                quiet=quiet,
                held=held,
            )

        begun = workers.led(begin)
        if isinstance(begun, RunResult):
            return begun
        return _train(
            run,
            start,
            begun,
            workers=workers,
            keep=keep,
            device=place,
            compiled=compiled,
            watchers=watchers,
            quiet=quiet,
            command=command,
        )


def _train_on_cluster(
    data: str | Path,
    run: Path,
    recipe: Recipe,
    *,
    address: str,
    workers: tuple[int, int] | None,
    gpus_per_worker: float,
    resume: bool,
    quiet: bool,
    **options: Any,
) -> RunResult:
    """`train` in each worker of a cluster; `options` are those of `train`."""
    # What can be refused here is refused before there is a cluster.
    stored = check_run(run, recipe, resume=resume)
    if stored is not None and (ended := _ended(run, recipe, quiet=quiet)) is not None:
        return ended
    run = run.resolve()
    data = data if "://" in str(data) else os.path.abspath(data)  # the workers are in another folder
    if recipe.model is not None and Path(recipe.model).exists():
        recipe = replace(recipe, model=os.path.abspath(recipe.model))
    if recipe.teacher is not None and Path(recipe.teacher).exists():
        recipe = replace(recipe, teacher=os.path.abspath(recipe.teacher))
    run_on_cluster(
        partial(train, data, run, recipe, resume=True, quiet=True, **options),
        run,
        address=address,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        on_news=lambda line: _say(f"regnety: {line}", quiet),
        on_epoch=lambda row: _say(epoch_line(row, recipe.epochs), quiet),
    )
    result = finished_result(run, recipe)
    if result is None:
        raise ClusterError(f"{run}: the workers have ended, but not the run; do all machines see the same folder?")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _BegunRun:
    """What a run is trained with, as its folder records it."""

    pictures: RunPictures
    train: Sequence[Sample]
    val: Sequence[Sample]
    num_labelled: int
    """Pictures of `train` that the teacher has labelled."""
    stored: Recipe | None
    """The recipe that the run began with, if it is resumed."""


def _begin(
    data: str | Path,
    run: Path,
    recipe: Recipe,
    *,
    unlabelled: Path | None,
    workers: Workers,
    resume: bool,
    skip_unreadable: bool,
    quiet: bool,
    held: ExitStack,
) -> _BegunRun | RunResult:
    """Look at what is there, and open the run's folder, which belongs to this process until `held` is closed.

    Returns:
        The result, if the run has finished.
    """
    stored = check_run(run, recipe, resume=resume)
    if stored is not None and (ended := _ended(run, recipe, quiet=quiet)) is not None:
        return ended
    if resume and stored is None:  # a mistyped folder must not train for a night unnoticed
        lack = "no finished epoch" if (run / RECIPE_FILE).exists() else "no run"
        _say(f"regnety: {run}: holds {lack} to resume; starting one", quiet)
    data_set = read_data_set(data, quiet=quiet)
    splits = data_set.training()
    for notice in data_set.notices:
        _say(f"regnety: {notice}", quiet)
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
        _say(f"regnety: {unlabelled}: {counted(len(more), 'photograph')} labelled by {teacher.name}{left_out}", quiet)
    # Here, where it is said once; a batch has no more pictures than there are.
    workers.part(min(recipe.batch_size, len(train_samples) + len(more)), pieces=recipe.accumulate)
    pictures.write(run)
    return _BegunRun(
        pictures=pictures, train=(*train_samples, *more), val=val_samples, num_labelled=len(more), stored=stored
    )


def _ended(run: Path, recipe: Recipe, *, quiet: bool) -> RunResult | None:
    result = finished_result(run, recipe)
    if result is not None:
        _say(f"regnety: {run}: has already finished, after {counted(recipe.epochs, 'epoch')}; nothing to do", quiet)
    return result


def _train(
    run: Path,
    start: StartingPoint,
    begun: _BegunRun,
    *,
    workers: Workers,
    keep: int,
    device: Device,
    compiled: bool,
    watchers: Sequence[Watcher],
    quiet: bool,
    command: str | None,
) -> RunResult:
    """The remaining epochs, and the bundle."""
    recipe, pictures = start.recipe, begun.pictures
    splits, train_samples, val_samples = pictures.splits, begun.train, begun.val
    teacher = checked_teacher(recipe, splits.classes)
    if workers.count > 1:
        _say(f"regnety: {workers.count} processes share each batch of {recipe.batch_size}", quiet)
    if not device.is_processor:
        _say(f"regnety: on {device.name}, in {device.arithmetic(recipe.precision)}", quiet)
    model, begins_with = start.network(splits.classes)
    if not quiet:
        _say_what_is_trained(splits, len(train_samples), len(val_samples), len(pictures.unreadable), start)
    batches = training_batches(
        train_samples,
        splits.classes,
        start.preprocessing,
        recipe.augmentation,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        steps_per_epoch=recipe.steps_per_epoch,
        device=device,
        workers=workers,
        pieces=recipe.accumulate,
        quiet=quiet,
    )
    if batches.steps_per_epoch == 1:
        _say(
            f"regnety: {counted(len(train_samples), 'photograph')} are one batch of {recipe.batch_size}: 1 step per "
            "epoch; a smaller --batch-size (batch_size=) trains better",
            quiet,
        )
    session = Session(
        model,
        recipe,
        batches=batches,
        validation=EvaluationBatches(
            val_samples, splits.classes, start.preprocessing, batch_size=recipe.batch_size, workers=workers
        )
        if val_samples
        else None,
        preprocessing=start.preprocessing,
        device=device,
        compiled=compiled,
        workers=workers,
        teacher=None
        if teacher is None
        else Teacher(teacher, splits.classes, start.preprocessing, recipe, device, device.arithmetic(recipe.precision)),
        quiet=quiet,
    )
    session.restore(run, begun_for=(begun.stored or recipe).epochs)
    session.run_for(recipe.epochs)
    if session.progression.epochs_done:
        _say(f"resuming after epoch {session.progression.epochs_done} of {recipe.epochs}", quiet)
    else:
        _say(f"regnety: {begins_with}", quiet)
    if extensions := session.progression.extensions():
        _say(
            f"regnety: {run}: was extended ({extensions}); its weights will differ from those of a run that was "
            f"started with {recipe.epochs} epochs",
            quiet,
        )
    if not workers.is_leader:  # whose files are those of the run
        while not session.has_ended:
            _advance(session)
        return workers.led(_nothing)
    bundle = RunBundle(
        run,
        session,
        splits,
        training_files=training_files_of(
            run, train_samples, base=start.bundle, looked_at=pictures.looked_at, quiet=quiet
        ),
        num_unreadable=len(pictures.unreadable),
        num_labelled_by_teacher=begun.num_labelled,
        command=command,
    )
    if session.progression.epochs_done:
        # A kill right after a checkpoint leaves the history a row short and the bundle an epoch behind.
        write_history(run, session.progression.history)
        bundle.write()
    while not session.has_ended:
        row = _advance(session)
        session.save(run, bundle.metadata(), keep=keep)  # first: an epoch counts once its checkpoint is there
        write_history(run, session.progression.history)
        if session.found_better:
            bundle.write()
        for watcher in watchers:
            watcher.update(session.progression.history)
        _say(epoch_line(row, recipe.epochs), quiet)
    for watcher in watchers:
        watcher.update(session.progression.history)  # a kill right before the last line leaves it behind
        watcher.finish()
    return workers.led(lambda: _finish(bundle, quiet=quiet))


def _nothing() -> RunResult:
    raise AssertionError("the leader finishes the run")


def _finish(bundle: RunBundle, *, quiet: bool) -> RunResult:
    result, errors = bundle.finish(quiet=quiet)
    for error in errors:
        _say(f"regnety: {error}", quiet)
    return result


def _settings(given: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """As `key=value`; JSON's values are YAML's, so that None is null and True is true."""
    if isinstance(given, Mapping):
        return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]
    if isinstance(given, str):  # its letters would be taken one by one
        raise RecipeError(f'settings: takes a list, ["key=value"], or a table, {{"key": value}}; got {given!r}')
    return list(given)


def _advance(session: Session) -> dict[str, Any]:
    try:
        return session.advance()
    except ImageError as error:
        raise ImageError(
            f"{error}; the run began with it: put it back, then continue with --resume (resume=True)"
        ) from error


def _say_what_is_trained(
    splits: DataSplits, num_train: int, num_val: int, num_unreadable: int, start: StartingPoint
) -> None:
    parts = [f"{num_train} photographs of {len(splits.classes)} classes to train on"]
    if num_val:
        parts.append(f"{num_val} {'' if splits.val else 'of them held out '}to choose the best epoch")
    if splits.test:
        parts.append(f"{len(splits.test)} to test")
    if num_unreadable:
        parts.append(f"{num_unreadable} left out as unreadable")
    size = start.preprocessing.image_size
    _say(f"regnety: {splits.root}: {', '.join(parts)}", quiet=False)
    _say(f"regnety: the model sees {size}x{size} pixels, {start.why_this_size}", quiet=False)


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
