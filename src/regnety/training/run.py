"""A training run: from a data folder and a recipe to a folder with metrics, checkpoints and a bundle."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from regnety.errors import RecipeError
from regnety.training.begun_run import BegunRun, begin_run
from regnety.training.cluster_run import absolute, train_on_cluster
from regnety.training.devices import find_device
from regnety.training.distribution.workers import joined
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_bundle import RunBundle, training_files_of
from regnety.training.run_bundle import RunResult as RunResult
from regnety.training.run_epochs import follow, lead
from regnety.training.run_report import write_run_report
from regnety.training.run_session import session_of
from regnety.training.selection import select_recipe
from regnety.training.starting_point import resolve_recipe
from regnety.training.watching import Watcher, watchers_of

MLFLOW_NAMES = ("databricks", "databricks-uc", "uc")
"""Addresses of MLflow that are neither a URL nor a folder."""


def train(
    data: str | Path,
    output: str | Path,
    recipe: Recipe | str | None = None,
    *,
    val_data: str | Path | None = None,
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
    report: bool = True,
    quiet: bool = False,
    command: str | None = None,
) -> RunResult:
    """Train on labelled images; the run folder holds recipe.yaml, metrics.jsonl, checkpoints/, bundle/, report.html.

        train("flowers", "runs/flowers", model="regnety_cifar10", settings=["epochs=10"])

    With `resume` a killed run continues from its last checkpoint and ends with the same weights. The bundle is there
    from the first epoch on, with the weights of the best epoch so far.

    Under `torchrun`, and with `ray`, several processes share each batch; the weights do not depend on their number, but
    for the rounding of sums.

    Args:
        data: a folder with `train/` (and `val/`, `test/`), or class folders alone; or any other data set
            (`regnety.datasets.data_sets.read_data_set`).
        output: the run folder.
        val_data: another data set, with the pictures that choose the best epoch, where `data` has none of them.
        recipe: a recipe's name, its YAML file, or a `Recipe`, which is followed as it is; None trains `design` from
            scratch, fine-tunes `model`, or else fine-tunes `regnety_tiny`, which comes with the package.
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
        report: write report.html, on the test pictures, or else on those of validation.
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
        if device == "auto" and not gpus_per_worker:
            device = "cpu"  # Ray does not hide a card from workers that have none: all would take the first
        elif device in ("cuda", "mps") and not gpus_per_worker:
            raise RecipeError(f"device {device} (--device) on a cluster needs gpus_per_worker (--gpus-per-worker 1)")
        return train_on_cluster(
            partial(
                train,
                keep=keep,
                skip_unreadable=skip_unreadable,
                device=device,
                compiled=compiled,
                val_data=None if val_data is None else absolute(val_data),
                unlabelled=None if unlabelled is None else os.path.abspath(unlabelled),
                tensorboard=tensorboard,
                mlflow=mlflow if mlflow in (None, *MLFLOW_NAMES) else absolute(mlflow),
                report=report,
                command=command,
            ),
            data,
            run,
            resolve_recipe(recipe).recipe,
            address=ray,
            workers=(ray_workers, ray_workers) if isinstance(ray_workers, int) else ray_workers,
            gpus_per_worker=gpus_per_worker,
            resume=resume,
            quiet=quiet,
        )
    # Everything that can be refused is refused before anything is written: here a precision that the device lacks.
    place = find_device(device)
    place.arithmetic(recipe.precision)
    start = resolve_recipe(recipe)
    with joined(place) as workers, ExitStack() as held:
        quiet = quiet or not workers.is_leader
        watchers: list[Watcher] = []  # of the leader

        def begin() -> BegunRun | RunResult:
            watchers.extend(watchers_of(run, start.recipe, tensorboard=tensorboard, mlflow=mlflow))
            return begin_run(
                data,
                val_data,
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
        session = session_of(run, start, begun, device=place, compiled=compiled, workers=workers, quiet=quiet)
        pictures = begun.pictures
        bundles: list[RunBundle] = []  # of the leader

        def begin_bundle() -> None:
            bundle = RunBundle(
                run,
                session,
                pictures.splits,
                training_files=training_files_of(
                    run, begun.train, base=start.bundle, looked_at=pictures.looked_at, quiet=quiet
                ),
                num_unreadable=len(pictures.unreadable),
                num_labelled_by_teacher=begun.num_labelled,
                base=start.bundle,
                command=command,
            )
            bundles.append(bundle)

        workers.led(begin_bundle)  # it reads every picture
        if not workers.is_leader:
            return follow(session, workers)
        return lead(
            run,
            session,
            bundles[0],
            workers=workers,
            watchers=watchers,
            report=partial(write_run_report, run, session, pictures.splits, begun.val, quiet=quiet) if report else None,
            keep=keep,
            quiet=quiet,
        )


def _settings(given: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """As `key=value`; JSON's values are YAML's, so that None is null and True is true."""
    if isinstance(given, Mapping):
        return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]
    if isinstance(given, str):  # its letters would be taken one by one
        raise RecipeError(f'settings: takes a list, ["key=value"], or a table, {{"key": value}}; got {given!r}')
    return list(given)
