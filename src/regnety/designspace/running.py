"""A population: every trial trained once, its results in a journal, whatever is killed meanwhile."""

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from time import monotonic

from regnety.architecture.description import AnyDesign
from regnety.designspace.executors import TRIAL_FOLDER, Executor, RayTasks, ThisProcess, folder_of, not_ended
from regnety.designspace.halving import Progress, read_share, replayed
from regnety.designspace.journal import Journal, read_journal
from regnety.designspace.live_table import LiveTable
from regnety.designspace.plan import PLAN_FILE, DataFacts, Plan, complexities_of, make_trials, read_plan
from regnety.designspace.preparation import base_recipe, device_of, photographs_of, read_data
from regnety.designspace.trials import Conditions, Outcome, TrialData
from regnety.designspace.variations import read_variations
from regnety.errors import InvalidDesignError, JobError, RecipeError
from regnety.extras import import_extra
from regnety.inference.cluster.connection import connected
from regnety.notices import say
from regnety.storage.locks import alone_in
from regnety.text import counted
from regnety.training.recipes.recipe import Recipe

JOURNAL_FILE = "journal.jsonl"
LOCK_NAME = "population"
FAILURES = 5
"""Trials in a row that fail at their first attempt, after which the machine is at fault."""


def run_population(
    designs: Iterable[AnyDesign],
    data: str | Path,
    output: str | Path,
    recipe: Recipe | str = "population",
    *,
    settings: Sequence[str] = (),
    vary: Sequence[str] = (),
    draws: int = 1,
    repeat: int = 1,
    keep_best: Fraction | str | None = None,
    ray: str | None = None,
    ray_workers: int | None = None,
    gpus_per_worker: float = 0,
    threads: int = 1,
    device: str = "auto",
    time_limit_s: float | None = None,
    resume: bool = False,
    skip_unreadable: bool = False,
    quiet: bool = False,
) -> Path:
    """Train every design, and keep each result as it comes.

    The folder holds population.json, what is trained; journal.jsonl, the results; split.json, the photographs that
    errors are measured on, where the data has no `val/`. `Population.load` reads it, also while it is being written.

    Args:
        designs: at least one.
        data: labelled photographs, any data set that `train` takes.
        output: the folder of the population.
        recipe: its name, its YAML file, or a `Recipe`; without a model.
        settings: values in place of the recipe's, each `key=value`.
        vary: fields that differ from trial to trial, `optimizer.lr=log:0.01:1` (`variations.read_variations`).
        draws: draws of those for each design.
        repeat: trainings with other seeds, for each of those.
        keep_best: `1/3` trains all to a ninth of the epochs, the best third of them to a third, and the best third of
            those to the end; None trains all to the end.
        ray: `local`, `auto` or HOST:PORT trains on a Ray cluster, whose nodes see data and output at the same paths;
            None in this process, one trial after the other. The results are the same.
        ray_workers: trials at a time; None is as many as the cluster has room for.
        gpus_per_worker: graphics cards of a trial on a cluster, also a share of one.
        threads: of each trial; results with another number differ in their last digits.
        device: `cpu`, `cuda`, `mps`, or `auto`.
        time_limit_s: seconds after which no other trial begins. Those that run are trained to their end, and `resume`
            goes on with the rest; None trains all.
        resume: continue the population in `output`; a trial that has its result is not trained again.
        skip_unreadable: leave out photographs that cannot be read.
        quiet: say nothing on stderr.

    Returns:
        The folder.

    Raises:
        MissingExtraError: torch is not installed, or Ray where it is asked for.
        RecipeError: the recipe cannot be that of a population, or what is varied is not in it.
        InvalidDesignError: there is no design.
        DataError: the data cannot be trained on, or has nothing to measure errors on.
        JobError: the folder holds something else, or another population than the one that is resumed; or five trials
            in a row failed, each at its first attempt.
        ClusterError: there is no such cluster, or it was lost.
    """
    began = monotonic()
    import_extra("torch", feature="training", extra="torch")
    folder = Path(output).absolute()  # workers have another working folder
    chosen = list(designs)
    if not chosen:
        raise InvalidDesignError("there is no design to train")
    for name, number in (("draws", draws), ("repeat", repeat), ("threads", threads)):
        if number < 1:
            raise RecipeError(f"{name} (--{name}) must be at least 1, got {number}")
    if time_limit_s is not None and not 0 < time_limit_s < math.inf:
        raise RecipeError(f"time_limit_s (--time-limit) must be more than 0 and finite, got {time_limit_s!r}")
    if ray is None and (ray_workers is not None or gpus_per_worker):
        raise RecipeError("ray_workers and gpus_per_worker (--ray-workers, --gpus-per-worker) need ray (--ray)")
    conditions = Conditions(threads=threads, device=device_of(device, on_ray=ray is not None, gpus=gpus_per_worker))
    stored = _stored_plan(folder, resume=resume)
    base = base_recipe(recipe, settings, chosen[0], conditions, stored)
    share = read_share(keep_best) if isinstance(keep_best, str) else keep_best
    trials = make_trials(chosen, base, read_variations(vary, base), draws=draws, repeat=repeat)
    data_set = read_data(data, quiet=quiet)
    for notice in data_set.notices:
        say(notice, quiet=quiet)
    with alone_in(folder, LOCK_NAME, doing="training a population"):
        if stored is None and read_journal(folder / JOURNAL_FILE):
            raise JobError(
                f"{folder}: has results ({JOURNAL_FILE}) of a population that was not there a moment ago or whose "
                f"{PLAN_FILE} is missing; name another output"
            )
        photographs, name = photographs_of(
            data_set, folder, base, begun=stored is not None, skip_unreadable=skip_unreadable, quiet=quiet
        )
        if base.teacher is not None:
            _check_teacher(base, photographs)
        plan = Plan(
            recipe=base,
            vary=tuple(vary),
            draws=draws,
            repeat=repeat,
            keep_best=share,
            conditions=conditions,
            data=DataFacts(
                name=name,
                classes=len(photographs.classes),
                train=len(photographs.train),
                val=len(photographs.val),
                digest=photographs.digest,
            ),
            trials=trials,
            complexities=complexities_of(trials, len(photographs.classes)),
        )
        if stored is not None:
            plan.check_same(stored, folder)
        else:
            _begin(plan, folder)
        say(_what_is_trained(plan), quiet=quiet)
        ends = math.inf if time_limit_s is None else began + time_limit_s
        with Journal(folder / JOURNAL_FILE) as journal:
            progress = replayed(journal.records, len(trials))
            with LiveTable(plan, progress, quiet=quiet) as table:
                if plan.halving.due(progress):
                    with _executor(
                        plan, photographs, folder, table, ray=ray, most=ray_workers, gpus=gpus_per_worker
                    ) as executor:
                        _train(plan, progress, journal, executor, table, folder, ends)
                else:
                    say(f"{output}: has already finished; nothing to do", quiet=quiet)
                say(f"{output}: {table.line()}", quiet=quiet)
        if plan.halving.due(progress):
            say(f"{output}: stopped after its time limit; --resume goes on", quiet=quiet)
        else:
            shutil.rmtree(folder / TRIAL_FOLDER, ignore_errors=True)  # nothing continues from there any more
    return Path(output)


def _check_teacher(recipe: Recipe, photographs: TrialData) -> None:
    """Before the first trial, as each would fail by it."""
    from regnety.training.teacher import checked_teacher

    checked_teacher(recipe, photographs.classes)


def _train(
    plan: Plan,
    progress: list[Progress],
    journal: Journal,
    executor: Executor,
    table: LiveTable,
    folder: Path,
    ends: float,
) -> None:
    """Train what is due; from the moment `ends` of `monotonic` on, only what runs already."""
    halving = plan.halving
    running: set[int] = set()
    # Last, so that a trial which fails, or gets its process killed, does not keep the others from being trained.
    put_off = not_ended(folder) | {number for number, each in enumerate(progress) if each.attempts}
    failures: list[str | None] = []
    while True:
        due = [work for work in halving.due(progress) if work.trial not in running]
        due.sort(key=lambda work: work.trial in put_off)
        slots = executor.slots()
        for work in due[: max(0, slots - len(running))] if monotonic() < ends else ():
            table.started(work.trial, work.until)
            executor.start(work)
            running.add(work.trial)
        if not running:
            return
        table.look(slots)
        for outcome in executor.ended():
            _keep(outcome, journal, progress[outcome.trial])
            running.discard(outcome.trial)
            table.ended(outcome.trial)
            _remove_checkpoints(plan, progress, folder)
            if outcome.message is None:
                failures.clear()
            elif outcome.again and outcome.trial not in put_off:
                put_off.add(outcome.trial)
                failures.append(outcome.message)
                if len(failures) == FAILURES:
                    raise JobError(
                        f"{counted(FAILURES, 'trial')} in a row failed, the last one by: {outcome.message}; once that "
                        "is mended, --resume (resume=True) goes on and tries them again"
                    )


def _keep(outcome: Outcome, journal: Journal, progress: Progress) -> None:
    first = progress.epochs
    record = {
        "trial": outcome.trial,
        "first": first,
        "rows": outcome.rows[first:],
        "seconds": round(outcome.seconds, 2),
        "message": outcome.message,
        "again": outcome.again,
    }
    journal.append(record)
    progress.add(record)


def _remove_checkpoints(plan: Plan, progress: list[Progress], folder: Path) -> None:
    """Remove those of trials that will not go on."""
    halving = plan.halving
    kept = {
        folder_of(folder, trial)
        for trial in halving.survivors(progress)[-1]
        if not halving.is_finished(trial, progress[trial]) and not progress[trial].gave_up
    }
    for place in (folder / TRIAL_FOLDER).glob("*"):
        if place not in kept:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _executor(
    plan: Plan,
    data: TrialData,
    folder: Path,
    table: LiveTable,
    *,
    ray: str | None,
    most: int | None,
    gpus: float,
) -> Iterator[Executor]:
    if ray is None:
        yield ThisProcess(plan.trials, data, folder, plan.conditions, after_epoch=table.after_epoch)
        return
    with connected(ray) as cluster:
        cluster.workers(most, plan.conditions.threads)  # refuses what fits nowhere
        yield RayTasks(plan.trials, data, folder, plan.conditions, most=most, gpus=gpus)


def _stored_plan(folder: Path, *, resume: bool) -> Plan | None:
    """The plan of the population that is in a folder; None where there is none, or none that has a result."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder}: is a file; the output is a folder")
    if (folder / PLAN_FILE).exists() and read_journal(folder / JOURNAL_FILE):
        if not resume:
            raise JobError(
                f"{folder}: holds a population; continue it with --resume (resume=True), or name another output"
            )
        return read_plan(folder)
    own = {PLAN_FILE, JOURNAL_FILE, TRIAL_FOLDER, "split.json", "pictures.json", f".{LOCK_NAME}.lock"}
    names = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    if any(not name.startswith(".") or not name.endswith(".part") for name in names - own):
        raise JobError(f"{folder}: is not empty and holds no population; name another output")
    return None


def _begin(plan: Plan, folder: Path) -> None:
    """Write the plan; a trial that was killed before the first result goes on from its checkpoint if it is the same."""
    text = (folder / PLAN_FILE).read_text("utf-8") if (folder / PLAN_FILE).exists() else None
    plan.write(folder)
    if text != (folder / PLAN_FILE).read_text("utf-8"):
        shutil.rmtree(folder / TRIAL_FOLDER, ignore_errors=True)


def _what_is_trained(plan: Plan) -> str:
    data, recipe = plan.data, plan.recipe
    macs = [counts.macs / 1e6 for counts in plan.complexities]
    return (
        f"{data.name}: {data.train} photographs of {data.classes} classes to train on, {data.val} to measure errors "
        f"on; {counted(len(plan.trials), 'trial')} of {counted(recipe.epochs, 'epoch')} at {recipe.image_size} pixels, "
        f"{min(macs):.3g} to {max(macs):.3g} million macs, "
        f"recipe {recipe.name}, {recipe.precision}, {counted(plan.conditions.threads, 'thread')} each"
    )
