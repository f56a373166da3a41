"""The tables of a population's page."""

from collections.abc import Sequence

import numpy as np

from regnety.designspace.comparisons import Estimate, difference, rank_correlation
from regnety.designspace.pages.error_charts import (
    UNITS,
    best_near,
    known_numbers,
)
from regnety.designspace.pages.report_notices import FEWEST
from regnety.designspace.populations import Population
from regnety.reports.charts import shown_number
from regnety.reports.tables import DASH, TO, Cell, Column, Table, count_cell, number_cell
from regnety.text import counted


def beside_table(populations: Sequence[Population]) -> Table:
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


def ranges_table(population: Population) -> Table:
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


def noise_table(population: Population) -> Table:
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


def noise_in_words(population: Population) -> str:
    """How much the error of a design deviates from seed to seed."""
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


def trials_table(population: Population) -> Table:
    """Every trial, the best first."""
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
