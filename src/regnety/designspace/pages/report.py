"""The report on populations as one HTML file that loads nothing, and its pictures as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regnety.designspace.comparisons import Estimate, best_of, difference, rank_correlation
from regnety.designspace.pages.chart import Chart
from regnety.designspace.pages.error_charts import (
    UNITS,
    best_near,
    best_of_chart,
    curve_chart,
    edf_chart,
    known_numbers,
    normalized_chart,
    parameter_charts,
)
from regnety.designspace.pages.network_charts import cost_charts, fit_chart, width_charts
from regnety.designspace.populations import Population, TrialResult
from regnety.errors import JobError
from regnety.reports.charts import shown_number
from regnety.reports.diagrams import STYLES
from regnety.reports.rendering import rendered
from regnety.reports.tables import DASH, TO, Cell, Column, Table, count_cell, number_cell
from regnety.reports.verdict import KeyFigure
from regnety.storage.replacing import replacing
from regnety.text import counted

FEWEST = 2
"""Trials without which a population has no distribution."""
SEARCHED = 32
"""Random trials after which, by the paper, the best of a good space is found."""
FEW_DESIGNS = 5
"""Below so many a bootstrap of them is rough."""
OF_A_TRIAL = ("name", "design", "seed")
"""Fields of a recipe that say nothing of how a population was trained."""


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
            *([_as_it_was(first, in_full)] if is_early else []),
            *(notice for population in populations for notice in _notices(population)),
            *(notice for other in populations[1:] for notice in _differences(first, other)),
            *(_few_designs(populations) if len(populations) > 1 else []),
        ],
        "figures": _figures(first, is_early=is_early),
        "diagrams": {name: [chart.diagram() for chart in charts] for name, charts in sections.items()},
        "beside": _beside(populations) if len(populations) > 1 else None,
        "ranges": _ranges(first),
        "noise": _noise(first) if first.plan.repeat > 1 else None,
        "noise_in_words": _noise_in_words(first) if first.plan.repeat > 1 else "",
        "trials": _trials(first),
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


def _as_it_was(population: Population, in_full: Sequence[TrialResult]) -> str:
    text = (
        f"{population.name}: too few trials are trained in full. This page is on {len(population.finished)} as they "
        f"were {_after(population)} of {population.plan.recipe.epochs} epochs."
    )
    for result in in_full:
        text += f" In full, trial {result.trial.number} is wrong on {result.error:.2f} %."
    return text


def _after(population: Population) -> str:
    epochs = sorted({len(result.rows) for result in population.finished})
    return f"after {epochs[0]}" if len(epochs) == 1 else f"after {epochs[0]} to {epochs[-1]}"


def _differences(first: Population, other: Population) -> list[str]:
    """What else than the designs is different in a population that is set beside the first."""
    notices = []
    if first.plan.data.digest != other.plan.data.digest:
        notices.append(f"{other.name} was trained on other photographs than {first.name}: their errors do not compare.")
    one, two = (population.plan.recipe.as_dict() for population in (first, other))
    names = [name for name in one if one[name] != two[name] and name not in OF_A_TRIAL]
    names += ["what is varied"] if first.plan.vary != other.plan.vary else []
    if names:
        notices.append(
            f"{other.name} was trained in another way than {first.name} ({', '.join(names)}): their errors differ by "
            "that too."
        )
    return notices


def _few_designs(populations: Sequence[Population]) -> list[str]:
    """Where an interval of a difference says too little, as it is by the designs alone."""
    return [
        f"{population.name} has {counted(designs, 'design')}: the interval and p of its difference "
        + ("are not known." if designs < FEWEST else "are rough.")
        for population in populations
        if (designs := len(population.design_errors.sums)) < FEW_DESIGNS
    ]


def _notices(population: Population) -> list[str]:
    counts = population.counts()
    notices = []
    if counts["open"]:
        notices.append(f"{population.name} is not finished: {counted(counts['open'], 'trial')} to go.")
    if counts["failed"]:
        notices.append(
            f"{population.name}: {counted(counts['failed'], 'trial')} failed and are in no figure; the table says why."
        )
    if counts["stopped"]:
        notices.append(
            f"{population.name}: {counted(counts['stopped'], 'trial')} were stopped early as others were better. The "
            "figures are of the others alone, which are better than the space as a whole."
        )
    return notices


def _figures(population: Population, *, is_early: bool) -> list[KeyFigure]:
    errors, best = population.errors, _best(population)
    count = min(SEARCHED, len(errors))
    found = best_of(errors, count)
    spent = [result.seconds for result in population if result.seconds > 0]
    how_far = f"{_after(population)} epochs" if is_early else "in full"
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


def _beside(populations: Sequence[Population]) -> Table:
    """Each later population beside the first."""
    first = populations[0]
    columns = [
        Column("population", is_name=True),
        Column("trials", True),
        Column("least", True),
        Column("mean", True),
        Column(f"mean less {first.name}'s", True, "with its 95 % interval, by the bootstrap"),
        Column("p", True, "of the Kolmogorov-Smirnov test that both have one distribution"),
    ]
    rows = []
    for population in populations:
        errors = population.errors
        row = [Cell(population.name), count_cell(len(errors))]
        row += [number_cell(float(errors.min()), 2), number_cell(float(errors.mean()), 2)]
        if population is first:
            row += [Cell(DASH, 0.0), Cell(DASH, -1.0)]
        elif min(len(each.design_errors.sums) for each in (population, first)) < FEWEST:
            less = float(errors.mean() - first.errors.mean())
            row += [Cell(f"{less:+.2f}", less), number_cell(None)]
        else:
            found, chance = difference(population.design_errors, first.design_errors)
            row += [Cell(_with_interval(found), found.value), number_cell(chance)]
        rows.append(row)
    return Table(columns, rows, "Errors of the populations in percent")


def _with_interval(found: Estimate) -> str:
    return f"{found.value:+.2f} ({found.low:+.2f}{TO}{found.high:+.2f})"


def _ranges(population: Population) -> Table:
    """Of every number the range that the best trials have, and its rank correlation with the error."""
    columns = [
        Column("number"),
        Column("best near", True),
        Column("95 % from", True),
        Column("to", True),
        Column("rank correlation with the error", True),
    ]
    rows = []
    for name in population.columns():
        label, unit = UNITS.get(name, (name, 1.0))
        _, values, errors = known_numbers(population, name)
        if not len(values):
            continue
        values = values / unit
        found, correlation = best_near(population, name), rank_correlation(values, errors)
        near = (found.value, found.low, found.high) if found else (None,) * 3
        rows.append(
            [
                Cell(label),
                *(number_cell(None) if value is None else Cell(shown_number(value / unit), value) for value in near),
                number_cell(None if np.isnan(correlation) else correlation, 2),
            ]
        )
    return Table(columns, rows, "Ranges of the best trials")


def _noise(population: Population) -> Table:
    """Trials of one design and of one draw with several seeds."""
    columns = [Column("design", True), Column("seeds", True), Column("mean", True), Column("deviation", True)]
    rows = []
    for (design, _), results in population.by_design().items():
        if len(results) > 1:
            errors = np.array([result.error for result in results])
            rows.append(
                [
                    Cell(str(design), design),
                    count_cell(len(results)),
                    number_cell(float(errors.mean()), 2),
                    number_cell(float(errors.std(ddof=1)), 2),
                ]
            )
    return Table(columns, rows, "Errors of the same design with other seeds, in percent")


def _noise_in_words(population: Population) -> str:
    several = {key: each for key, each in population.by_design().items() if len(each) > 1}
    groups = [np.array([result.error for result in each]) for each in several.values()]
    if not groups:
        return "No design has been trained with two seeds so far."
    designs = len({design for design, _ in several})
    degrees = sum(len(each) - 1 for each in groups)
    deviation = float(np.sqrt(sum(((each - each.mean()) ** 2).sum() for each in groups) / degrees))
    return (
        f"The error of a design deviates by {deviation:.2f} from seed to seed, by {counted(designs, 'design')} "
        f"trained several times. Two designs that differ by less than {2 * np.sqrt(2) * deviation:.1f} may be equal."
    )


def _trials(population: Population) -> Table:
    names = population.columns()
    columns = [
        Column("trial", True),
        Column("error", True),
        Column("epochs", True),
        *(Column(UNITS.get(name, (name, 1.0))[0], True) for name in names),
        Column("widths"),
        Column("blocks"),
        Column("seed", True),
        Column("seconds", True),
        Column("state", is_name=True),
    ]
    ordered = sorted(
        population, key=lambda result: (-len(result.rows), _missing_last(result.error), result.trial.number)
    )
    rows = []
    for result in ordered:
        stages, number = result.design.fitted_stages(), result.trial.number
        row = [Cell(str(number), number), number_cell(result.error, 2), Cell(str(len(result.rows)), len(result.rows))]
        for name in names:
            value = population.number(result, name) / UNITS.get(name, ("", 1.0))[1]
            row.append(Cell(DASH, -1.0) if np.isnan(value) else Cell(shown_number(value), value))
        state = (
            result.status if result.message is None or result.status == "done" else f"{result.status}: {result.message}"
        )
        row += [
            Cell("-".join(str(stage.width) for stage in stages)),
            Cell("-".join(str(stage.depth) for stage in stages)),
            Cell(str(result.trial.recipe.seed), result.trial.recipe.seed),
            number_cell(result.seconds, 0),
            Cell(state),
        ]
        rows.append(row)
    return Table(columns, rows, f"Trials of {population.name}")


def _missing_last(error: float) -> float:
    return error if error == error else float("inf")


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
