"""A search: candidates within a measured budget, trained for a few epochs, and the best of them in full."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from regnety.architecture.design import Design
from regnety.datasets.data_sets import read_data_set
from regnety.designspace.halving import read_share
from regnety.designspace.populations import Population, TrialResult
from regnety.designspace.preparation import base_recipe, device_of
from regnety.designspace.running import run_population
from regnety.designspace.search.budget import Budget
from regnety.designspace.search.candidates import find_candidates
from regnety.designspace.search.default_space import default_space
from regnety.designspace.search.design_timer import DesignTimer
from regnety.designspace.search.front import pareto_front
from regnety.designspace.search.record import RECORD_FILE, SearchRecord, read_record
from regnety.designspace.search.result import SearchResult
from regnety.designspace.search.winners import final_recipe_of, train_in_full, winner_of
from regnety.designspace.spaces import DesignSpace
from regnety.designspace.trials import Conditions
from regnety.errors import JobError, LossError, RecipeError
from regnety.extras import import_extra
from regnety.inference.engines.processor import available_cores, processor
from regnety.notices import say
from regnety.storage.locks import alone_in
from regnety.storage.replacing import remove_leftovers
from regnety.text import counted, one_line
from regnety.training.recipes.recipe import Recipe

POPULATION_FOLDER = "population"
WINNER_FOLDER = "best-{rank}"
LOCK_NAME = "search"
MOST_REASONS = 3
"""For which all trials failed, in the message."""
ANY_DESIGN = Design(depth=2, w0=8, wa=16.0, wm=2.0, group_width=8)
"""A recipe is completed for a design; which one makes no difference."""


def search_designs(
    data: str | Path,
    output: str | Path,
    *,
    latency_ms: float | tuple[float, float] | None = None,
    memory_mib: float | None = None,
    space: DesignSpace | str = "regnety",
    ranges: Mapping[str, Any] | None = None,
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    trials: int = 25,
    recipe: Recipe | str = "population",
    settings: Sequence[str] = (),
    keep_best: Fraction | str | None = "1/3",
    winners: int = 2,
    final_recipe: Recipe | str = "scratch",
    final_settings: Sequence[str] = (),
    trial_threads: int | None = None,
    ray: str | None = None,
    ray_workers: int | None = None,
    gpus_per_worker: float = 0,
    device: str = "auto",
    seed: int = 0,
    fresh: bool = False,
    resume: bool = False,
    skip_unreadable: bool = False,
    quiet: bool = False,
) -> SearchResult:
    """Find a design for these photographs that this machine runs within a budget.

    Designs are drawn and measured, with random weights, until `trials` are within the budget. These are trained for a
    few epochs, and of the front of error, latency and memory the best are trained in full. The folder has search.json,
    the candidates; population/, their trainings; best-1/ and so on, each with a bundle; report.html.

    Args:
        data: labelled photographs, any data set that `train` takes.
        output: the folder of the search.
        latency_ms: median milliseconds that a picture may take, or (least, most). Of a single number candidates use at
            least half.
        memory_mib: peak resident memory of a process that loads and runs the network.
        space: what designs are drawn from, at the size of the pictures and with their classes; a name is that of
            `default_space`.
        ranges: fields and ranges in place of its own: `{"group_width": (8, 16), "macs": (5e6, 20e6)}`.
        engine: what latency is measured on.
        precision: of that.
        threads: of a prediction; None is one per core.
        trials: candidates to train.
        recipe: of the few epochs: its name, its YAML file, or a `Recipe`.
        settings: values in place of that recipe's, each `key=value`.
        keep_best: as for `run_population`; None trains all candidates to the end of the recipe.
        winners: how many of the front are trained in full; 0 trains none.
        final_recipe: of these. They see pictures of the size that was measured.
        final_settings: values in place of that recipe's.
        trial_threads: of each trial; None is one on a cluster, and one per core in this process.
        ray: as for `run_population`; designs are measured on this machine, and the best trained here.
        ray_workers: as for `run_population`.
        gpus_per_worker: as for `run_population`.
        device: where trials are trained.
        seed: of the draws and of the trainings.
        fresh: measure again what is in the cache.
        resume: continue the search in `output`.
        skip_unreadable: leave out photographs that cannot be read.
        quiet: say nothing on stderr.

    Raises:
        JobError: there is no limit, no design is within it, or the folder holds something else.
        EngineError: the engine is not installed, or can run no design.
        RecipeError: a recipe cannot be followed, or another process works in the folder.
        InvalidDesignError, DataError, ClusterError, MissingExtraError: as for `run_population`.
    """
    import_extra("torch", feature="training", extra="torch")
    budget = Budget.of(latency_ms, memory_mib)
    for name, number, least in (("trials", trials, 1), ("winners", winners, 0)):
        if number < least:
            raise RecipeError(f"{name} (--{name}) must be at least {least}, got {number}")
    folder = Path(output)
    _stored(folder, resume=resume)  # refused before the data is read
    trained_on = device_of(device, on_ray=ray is not None, gpus=gpus_per_worker)
    in_one_process = ray is None and trained_on == "cpu"
    trial_threads = trial_threads or (available_cores() if in_one_process else 1)
    conditions = Conditions(threads=trial_threads, device=trained_on)
    settings = (f"seed={seed}", *settings)  # the user's own comes later, and counts
    base = base_recipe(recipe, settings, ANY_DESIGN, conditions, None)
    final = final_recipe_of(final_recipe, (f"seed={seed}", *final_settings), base)
    share = read_share(keep_best) if isinstance(keep_best, str) else keep_best
    assert base.image_size is not None  # resolved
    classes = read_data_set(data, quiet=True).training().classes
    if isinstance(space, str):
        space = default_space(space, base.image_size, **(ranges or {}))
    elif ranges:
        space = space.replace(**ranges)
    space = space.replace(image_size=base.image_size, num_classes=len(classes))

    timer = DesignTimer(
        image_size=base.image_size,
        num_classes=len(classes),
        engine=engine,
        precision=precision,
        threads=threads,
        fresh=fresh,
    )
    asked: dict[str, Any] = {
        "budget": budget.as_dict(),
        "space": space.as_dict(),
        "engine": engine,
        "precision": precision,
        "threads": threads,
        "trials": trials,
        "winners": winners,
        "seed": seed,
        "final_recipe": final.as_dict(),
    }
    asked = json.loads(json.dumps(asked))  # lists for tuples, as it is read back
    with alone_in(folder, LOCK_NAME, doing="searching"):
        stored = _stored(folder, resume=resume)  # another process may have begun it meanwhile
        remove_leftovers(folder)
        if stored is None:
            found = find_candidates(
                space, trials, timer, budget, seed=seed, quiet=quiet, say=lambda line: say(line, quiet=quiet)
            )
            stored = SearchRecord(asked=asked, processor=processor().name, candidates=found)
            stored.write(folder)
            say(_what_was_found(stored, budget), quiet=quiet)
        else:
            stored.check_same(asked, folder)
            if stored.processor != (here := processor().name):
                say(
                    f"{folder}: the candidates were measured on another machine: {stored.processor}, not {here}",
                    quiet=quiet,
                )
        run_population(
            [candidate.design for candidate in stored.candidates.found],
            data,
            folder / POPULATION_FOLDER,
            recipe,
            settings=settings,
            keep_best=share,
            ray=ray,
            ray_workers=ray_workers,
            gpus_per_worker=gpus_per_worker,
            threads=trial_threads,
            device=device,
            resume=True,
            skip_unreadable=skip_unreadable,
            quiet=quiet,
        )
        population = _with_finishers(Population.load(folder / POPULATION_FOLDER))
        front = _front(population, stored)
        trained, failures = [], []
        for rank, result in enumerate(front[:winners], start=1):
            candidate = stored.candidates.found[result.trial.design_number]
            place = folder / WINNER_FOLDER.format(rank=rank)
            say(f"{place}: training trial {result.trial.number} in full, {rank} of {len(front[:winners])}", quiet=quiet)
            try:
                run = train_in_full(data, place, final, candidate, device, skip_unreadable=skip_unreadable, quiet=quiet)
            except LossError as error:  # it would be no different the next time; the others and the page are not lost
                failures.append(f"trial {result.trial.number} could not be trained in full: {one_line(error)}")
                say(failures[-1], quiet=quiet)
                continue
            trained.append(winner_of(result, candidate, run, timer, place=place.name))
        found_all = SearchResult(
            folder=folder,
            budget=budget,
            record=stored,
            population=population,
            front=front,
            winners=tuple(trained),
            failures=tuple(failures),
        )
        from regnety.designspace.pages.search_report import write_search_report

        write_search_report(folder / "report.html", found_all)
    return found_all


def _stored(folder: Path, *, resume: bool) -> SearchRecord | None:
    """The search that is in a folder; None where there is none."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder}: is a file; the output is a folder")
    if (folder / RECORD_FILE).exists():
        if not resume:
            raise JobError(f"{folder}: holds a search; continue it with --resume (resume=True), or name another output")
        return read_record(folder)
    own = f".{LOCK_NAME}.lock"
    names = [entry.name for entry in folder.iterdir()] if folder.exists() else []
    # a search that was killed while it wrote its record leaves a part of it
    if any(name != own and not (name.startswith(".") and name.endswith(".part")) for name in names):
        raise JobError(f"{folder}: is not empty and holds no search; name another output")
    return None


def _with_finishers(population: Population) -> Population:
    """The population; where no trial was trained to its end, as it was at the last rung that sound ones reached."""
    for rung in reversed(range(len(population.plan.halving.rungs(0)))):
        results = [
            result if result.status == "failed" else early
            for result, early in zip(population, population.at_rung(rung), strict=True)
        ]
        found = Population(population.name, population.plan, results, folder=population.folder)
        if found.finished:
            return found
    return population


def _front(population: Population, record: SearchRecord) -> tuple[TrialResult, ...]:
    finished = population.finished
    if not finished:
        reasons = {result.message for result in population if result.message is not None}
        raise JobError(f"{population.name}: every trial failed: {'; '.join(sorted(reasons)[:MOST_REASONS])}")
    costs = []
    for result in finished:
        measured = record.candidates.found[result.trial.design_number].measured
        # whole MiB: the pages of a process differ by some from run to run
        costs.append((result.error, measured.latency_ms, round(measured.memory_mib or 0)))
    return tuple(finished[at] for at in pareto_front(costs))


def _what_was_found(record: SearchRecord, budget: Budget) -> str:
    found = record.candidates
    return (
        f"{counted(len(found.found), 'candidate')} within {budget.in_words()}; measured {found.measured} designs, "
        f"{found.too_slow} over it, {found.too_fast} that use too little of it"
    )
