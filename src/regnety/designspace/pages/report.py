"""The report on populations as one HTML file that loads nothing, and its pictures as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regnety.designspace.comparisons import best_of
from regnety.designspace.pages.chart import Chart
from regnety.designspace.pages.error_charts import (
    best_of_chart,
    curve_chart,
    edf_chart,
    normalized_chart,
    parameter_charts,
)
from regnety.designspace.pages.network_charts import cost_charts, fit_chart, width_charts
from regnety.designspace.pages.report_notices import FEWEST, after, as_it_was, differences, few_designs, notices_of
from regnety.designspace.pages.report_tables import (
    beside_table,
    noise_in_words,
    noise_table,
    ranges_table,
    trials_table,
)
from regnety.designspace.populations import Population, TrialResult
from regnety.errors import JobError
from regnety.reports.diagrams import STYLES
from regnety.reports.rendering import rendered
from regnety.reports.tables import TO
from regnety.reports.verdict import KeyFigure
from regnety.storage.replacing import replacing
from regnety.text import counted

SEARCHED = 32
"""Random trials after which, by the paper, the best of a good space is found."""


def write_population_report(
    path: str | Path, populations: Sequence[Population], *, pictures: str | Path | None = None
) -> Path:
    """Write the report: errors of all populations beside each other; parameters, networks and trials of the first.

    Args:
        path: of the HTML file; an old one is replaced once the new one is whole.
        populations: from one to four, also unfinished ones.
        pictures: a folder for each picture as PNG and SVG.

    Raises:
        MissingExtraError: jinja2 is not installed, or Matplotlib for the pictures.
        JobError: a population has fewer than two trials that were trained in full; of one alone, with halving, that
            have ended its first rung.
        OSError: a file cannot be written.
    """
    if not 1 <= len(populations) <= len(STYLES):
        raise JobError(f"a report is on 1 to {len(STYLES)} populations, got {len(populations)}")
    described = _with_names([_with_enough(population, alone=len(populations) == 1) for population in populations])
    sections = _charts(described)
    text = rendered("population.html", _page(described, sections, in_full=populations[0].finished))
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
    if pictures is not None:
        folder = Path(pictures)
        folder.mkdir(parents=True, exist_ok=True)
        for charts in sections.values():
            for chart in charts:
                chart.write(folder)
    return Path(path)


def _with_enough(population: Population, *, alone: bool) -> Population:
    """A population with enough finished trials; one with halving as it was at the last rung that enough had ended."""
    if len(population.finished) >= FEWEST:
        return population
    rungs = len(population.plan.halving.rungs(0)) if alone else 0
    for rung in reversed(range(rungs)):
        if len((found := population.at_rung(rung)).finished) >= FEWEST:
            return found
    finished = counted(len(population.finished), "trial")
    raise JobError(
        f"{population.name}: {finished} of {len(population)} trained in full so far; a report needs {FEWEST}"
    )


def _with_names(populations: Sequence[Population]) -> list[Population]:
    """The same; those whose folders have one name are called by more of their paths."""
    paths = [list(population.folder.parts) if population.folder else [population.name] for population in populations]
    named = []
    for population, path in zip(populations, paths, strict=True):
        others = [other for other in paths if other != path]
        length = 1
        while length < len(path) and any(other[-length:] == path[-length:] for other in others):
            length += 1
        name = population.name if length == 1 else "/".join(path[-length:])
        named.append(Population(name, population.plan, list(population), folder=population.folder))
    return named


def _charts(populations: Sequence[Population]) -> dict[str, list[Chart]]:
    first = populations[0]
    best, worst = width_charts(first)
    return {
        "errors": _known(
            [
                edf_chart(populations),
                normalized_chart(populations) if len(populations) > 1 else None,
                best_of_chart(populations),
            ]
        ),
        "parameters": parameter_charts(first),
        "best": best,
        "worst": worst,
        "fits": _known([fit_chart(first)]),
        "costs": cost_charts(first),
        "curves": [curve_chart(first)],
    }


def _known(charts: Sequence[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def _page(
    populations: Sequence[Population], sections: dict[str, list[Chart]], *, in_full: Sequence[TrialResult]
) -> dict[str, Any]:
    """What the template shows; `in_full` are the finished trials of the first, also where it is shown as it was."""
    first = populations[0]
    is_early = len(in_full) < FEWEST
    return {
        "title": ", ".join(population.name for population in populations),
        "kind": "Population",
        "verdict": _verdict(populations),
        "notices": [
            *([as_it_was(first, in_full)] if is_early else []),
            *(notice for population in populations for notice in notices_of(population)),
            *(notice for other in populations[1:] for notice in differences(first, other)),
            *(few_designs(populations) if len(populations) > 1 else []),
        ],
        "figures": _figures(first, is_early=is_early),
        "diagrams": {name: [chart.diagram() for chart in charts] for name, charts in sections.items()},
        "beside": beside_table(populations) if len(populations) > 1 else None,
        "ranges": ranges_table(first),
        "noise": noise_table(first) if first.plan.repeat > 1 else None,
        "noise_in_words": noise_in_words(first) if first.plan.repeat > 1 else "",
        "trials": trials_table(first),
        "num_trials": len(first),
        "name": first.name,
        "facts": [fact for population in populations for fact in _facts(population, several=len(populations) > 1)],
    }


def _verdict(populations: Sequence[Population]) -> str:
    first = populations[0]
    whole = [population for population in populations if not population.counts()["stopped"]]
    same_data = len({population.plan.data.digest for population in populations}) == 1
    if len(whole) < 2 or not same_data:  # the survivors of halving say nothing of their space
        best = _best(first)
        return (
            f"The best of {counted(len(first.finished), 'trial')} of {first.name} is wrong on {best.error:.1f} %, "
            f"half of them on less than {np.median(first.errors):.1f} %."
        )
    means = sorted((float(population.errors.mean()), population.name) for population in whole)
    (least, good), (most, bad) = means[0], means[-1]
    return f"{good} has the least mean error, {least:.1f} %; {bad} the largest, {most:.1f} %."


def _best(population: Population) -> TrialResult:
    return min(population.finished, key=lambda result: (result.error, result.trial.number))


def _figures(population: Population, *, is_early: bool) -> list[KeyFigure]:
    errors, best = population.errors, _best(population)
    count = min(SEARCHED, len(errors))
    found = best_of(errors, count)
    spent = [result.seconds for result in population if result.seconds > 0]
    how_far = f"{after(population)} epochs" if is_early else "in full"
    return [
        KeyFigure(
            "least error",
            f"{best.error:.2f} %",
            f"trial {best.trial.number}, {best.complexity.macs / 1e6:.1f} million macs",
        ),
        KeyFigure("median error", f"{np.median(errors):.2f} %", f"mean {errors.mean():.2f} %"),
        KeyFigure(
            f"best of {count}",
            f"{found.value:.2f} %",
            f"{found.low:.2f}{TO}{found.high:.2f} % with 95 %",
        ),
        KeyFigure("trials", f"{len(errors):,}", f"of {len(population):,}, {how_far}"),
        KeyFigure("cost", _hours(sum(spent)), f"{sum(spent) / max(1, len(spent)):.0f} s a trial"),
    ]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _facts(population: Population, *, several: bool) -> list[tuple[str, str]]:
    plan = population.plan
    recipe, data = plan.recipe, plan.data
    facts = [
        ("data", f"{data.name}: {data.train:,} photographs of {data.classes} classes, {data.val:,} for the errors"),
        (
            "recipe",
            f"{recipe.name}, {counted(recipe.epochs, 'epoch')} at {recipe.image_size} pixels, {recipe.precision}",
        ),
        ("varied", ", ".join(plan.vary) or "nothing"),
        ("seeds", f"{recipe.seed} to {recipe.seed + plan.repeat - 1}" if plan.repeat > 1 else str(recipe.seed)),
        ("halving", f"the best {plan.keep_best} of a rung goes on" if plan.keep_best else "none"),
        ("computed with", f"{counted(plan.conditions.threads, 'thread')} a trial, {plan.conditions.device}"),
    ]
    return [(f"{population.name}: {name}" if several else name, text) for name, text in facts]
