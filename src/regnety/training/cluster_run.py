"""A run on a Ray cluster: the same training in each of its workers."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from regnety.errors import ClusterError
from regnety.notices import say
from regnety.training.begun_run import ended_run
from regnety.training.distribution.batch_parts import most_workers
from regnety.training.distribution.cluster import run_on_cluster
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_bundle import RunResult, finished_result
from regnety.training.run_folder import absolute_model, check_checkpoint, check_run
from regnety.training.run_notices import say_epoch


def absolute(data: str | Path) -> str:
    """A data set as the workers find it, who are in another folder."""
    return str(data) if "://" in str(data) else os.path.abspath(data)


def train_on_cluster(
    work: Callable[..., RunResult],
    data: str | Path,
    run: Path,
    recipe: Recipe,
    *,
    address: str,
    workers: tuple[int, int] | None,
    gpus_per_worker: float,
    resume: bool,
    quiet: bool,
) -> RunResult:
    """Train in the workers of a cluster; those are started again where some are lost.

    Args:
        work: `train` with its other options, for each worker.
        data: as for `train`.
        run: the run's folder.
        recipe: resolved.
        address: of the cluster: `local`, `auto` or HOST:PORT.
        workers: fewest and most; None is as many as there is room for.
        gpus_per_worker: graphics cards of each; 0 trains on processors.
        resume: continue the run in `run`.
        quiet: say nothing on stderr.

    Raises:
        ClusterError: there is no such cluster, or its workers end again and again.
        RecipeError: the recipe contradicts the run that is there.
    """
    # What can be refused here is refused before there is a cluster.
    stored = check_run(run, recipe, resume=resume)
    if stored is not None and (ended := ended_run(run, recipe, quiet=quiet)) is not None:
        return ended
    if stored is not None:
        check_checkpoint(run)
    run = run.resolve()
    data = absolute(data)
    recipe = replace(recipe, model=absolute_model(recipe.model), teacher=absolute_model(recipe.teacher))
    run_on_cluster(
        partial(work, data, run, recipe, resume=True, quiet=True),
        run,
        address=address,
        workers=workers,
        most=most_workers(recipe.batch_size, pieces=recipe.accumulate),
        gpus_per_worker=gpus_per_worker,
        on_news=lambda line: say(line, quiet=quiet),
        on_epoch=lambda row: say_epoch(row, recipe.epochs, quiet=quiet),
    )
    result = finished_result(run, recipe)
    if result is None:
        raise ClusterError(f"{run}: the workers have ended, but not the run; do all machines see the same folder?")
    return result
