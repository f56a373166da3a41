"""The paper's pictures of errors: their distributions, parameters against error, curves, and what few trials find."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from regnety.designspace.comparisons import Edf, Estimate, Values, best_of, bootstrap_range, rank_correlation
from regnety.designspace.normalizing import largest_gap, normalized_edfs
from regnety.designspace.pages.chart import Chart
from regnety.designspace.populations import Population
from regnety.errors import DataError
from regnety.reports.charts import Axis, Band, Line, Point, axis_around, shown_number
from regnety.reports.diagrams import STYLES
from regnety.reports.tables import TO, Cell, Column, Table, number_cell

PERCENT = "top-1 error in percent"
ENDS = 1.04
"""A chart of distributions ends a little after the largest error."""
MOST_CURVES = 60
"""Trials whose curves are drawn beside those of best and worst."""
SHARES = (0, 5, 10, 25, 50, 75, 90, 100)
FEWEST_FOR_RANGES = 6
"""Designs of which a quarter are two: with fewer, the best of a draw would be whatever was drawn."""
SPREAD = 10
"""From this ratio of largest to smallest on, an axis is logarithmic."""
UNITS = {
    "macs": ("million macs", 1e6),
    "num_params": ("million parameters", 1e6),
    "activations": ("million activations", 1e6),
}


class Measured(Protocol):
    """What has a name and errors: a population, or what is left of one in a file of results."""

    @property
    def name(self) -> str:
        """What the legend calls it."""
        ...

    @property
    def errors(self) -> Values:
        """In percent, float64 [trials]."""
        ...

    def error_edf(self) -> Edf:
        """Their distribution."""
        ...


def edf_chart(populations: Sequence[Measured]) -> Chart:
    """F(e), the share of trials with an error below e, with the band that holds the true one with 95 %."""
    found = [population.error_edf() for population in populations]
    low, high = min(each.errors[0] for each in found), max(each.errors[-1] for each in found)
    room = max(0.5, (high - low) * (ENDS - 1))
    x = axis_around(PERCENT, [low - room, high + room])
    lines, bands = [], []
    for style, each in zip(STYLES, found, strict=False):
        corners = [(x.low, 0.0), *each.steps(), (x.high, 1.0)]
        bands.append(Band([(at, max(0.0, y - each.margin), min(1.0, y + each.margin)) for at, y in corners], style))
        lines.append(Line(corners, style))
    legend = [
        (style, f"{population.name} [{each.errors[0]:.1f} | {each.errors.mean():.1f}]")
        for style, population, each in zip(STYLES, populations, found, strict=False)
    ]
    return Chart(
        key="edf",
        title="Errors of all trials",
        x=x,
        y=Axis("share of trials below", 0, 1),
        lines=lines,
        bands=bands,
        legend=legend,
        table=_edf_table(populations, found),
        text="In brackets the least error and the mean. A curve further to the left and above is a better space. The "
        "band holds the distribution that the trials were drawn from, as a whole, with 95 %.",
    )


def normalized_chart(populations: Sequence[Population], name: str = "macs") -> Chart | None:
    """The same at equal cost: trials have weights by which it is distributed alike in all populations.

    None where they share no range of it, or have too few trials of one cost.
    """
    errors = [population.errors for population in populations]
    try:
        found = normalized_edfs(errors, [population.column(name) for population in populations])
    except DataError:
        return None
    low, high = min(float(each.errors[0]) for each in found), max(float(each.errors[-1]) for each in found)
    x = axis_around(PERCENT, [low, high])
    lines, legend, rows = [], [], []
    for style, population, each in zip(STYLES, populations, found, strict=False):
        corners = [(x.low, 0.0)]
        share = 0.0
        for error, weight in zip(each.errors.tolist(), each.weights.tolist(), strict=True):
            corners += [(error, share), (error, share + weight)]
            share += weight
        lines.append(Line([*corners, (x.high, 1.0)], style))
        legend.append((style, f"{population.name} [{each.errors[0]:.1f} | {each.mean:.1f}]"))
        rows.append(
            [
                Cell(population.name),
                number_cell(each.mean, 2),
                number_cell(each.effective_count, 1),
                number_cell(largest_gap(each, found[0]), 3),
            ]
        )
    columns = [
        Column("population", is_name=True),
        Column("weighted mean", True),
        Column("effective trials", True, "as many of equal weight would say as much"),
        Column(f"largest gap to {populations[0].name}", True, "between the shares below an error"),
    ]
    label = UNITS[name][0].removeprefix("million ")
    return Chart(
        key=f"edf_at_equal_{name}",
        title=f"Errors at equal {label}",
        x=x,
        y=Axis("share of trials below", 0, 1),
        lines=lines,
        legend=legend,
        table=Table(columns, rows, f"Errors at equal {label}"),
        text=f"Trials have weights by which {label} are distributed alike in all populations, over the range that they "
        "share. What remains of a difference is not one of cost.",
    )


def _edf_table(populations: Sequence[Measured], found: Sequence[Edf]) -> Table:
    columns = [Column("share of trials", True), *(Column(population.name, True) for population in populations)]
    rows = []
    for share in SHARES:
        cells = [Cell(f"{share} %", share)]
        cells += [number_cell(float(np.percentile(each.errors, share, method="inverted_cdf")), 2) for each in found]
        rows.append(cells)
    return Table(columns, rows, "Errors that a share of the trials reaches, in percent")


def best_of_chart(populations: Sequence[Population]) -> Chart:
    """The least error that a random search of some trials finds."""
    most = max(len(population.errors) for population in populations)
    counts = sorted({*(round(2 ** (step / 2)) for step in range(40) if 2 ** (step / 2) < most), most})
    lines, bands, rows = [], [], {count: [Cell(f"{count:,}", count)] for count in counts}
    for style, population in zip(STYLES, populations, strict=False):
        estimates = [(count, best_of(population.errors, count)) for count in counts if count <= len(population.errors)]
        lines.append(Line([(count, each.value) for count, each in estimates], style, dots=len(counts) < 20))
        bands.append(Band([(count, each.low, each.high) for count, each in estimates], style))
        known = dict(estimates)
        for count in counts:
            each = known.get(count)
            rows[count].append(
                Cell("", -1.0)
                if each is None
                else Cell(f"{each.value:.2f} ({each.low:.2f}{TO}{each.high:.2f})", each.value)
            )
    values = [value for band in bands for _, low, high in band.points for value in (low, high)]
    return Chart(
        key="best_of",
        title="The best of a random search",
        x=axis_around("trials", counts, log=most > SPREAD),
        y=axis_around(PERCENT, values),
        lines=lines,
        bands=bands,
        legend=[(style, population.name) for style, population in zip(STYLES, populations, strict=False)],
        table=Table(
            [Column("trials", True), *(Column(population.name, True) for population in populations)],
            list(rows.values()),
            "Mean least error of so many trials, with its 95 % interval",
        ),
        text="The mean of the least error among so many trials, drawn from these with replacement, and the range that "
        "it is in with 95 %.",
    )


def known_numbers(population: Population, name: str) -> tuple[list[int], Values, Values]:
    """Trials, numbers and errors of the finished trials that have a number in a column: null may be varied too."""
    values = population.column(name)
    known = np.isfinite(values)
    trials = [result.trial.number for result, has_one in zip(population.finished, known, strict=True) if has_one]
    return trials, values[known], population.errors[known]


def best_near(population: Population, name: str) -> Estimate | None:
    """Where the best value of a column lies, by designs and draws: seeds of one are no further trials.

    None where there are too few for a quarter of them to have a best one.
    """
    groups = [
        (population.number(each[0], name), float(np.mean([result.error for result in each])))
        for each in population.by_design().values()
    ]
    values, errors = np.array([group for group in groups if np.isfinite(group[0])]).reshape(-1, 2).T
    return bootstrap_range(values, errors) if len(values) >= FEWEST_FOR_RANGES else None


def in_words(correlation: float) -> str:
    """A rank correlation with the error in a sentence."""
    return "no rank correlation is known" if np.isnan(correlation) else f"rank correlation {correlation:.2f}"


def parameter_charts(population: Population) -> list[Chart]:
    """Each number of a design, of what it costs and of what is varied, against the error."""
    charts = []
    for name in population.columns():
        trials, values, errors = known_numbers(population, name)
        if len(np.unique(values)) < 2:
            continue
        label, unit = UNITS.get(name, (name, 1.0))
        values = values / unit
        best = best_near(population, name)
        middle, where = None, "Too few designs to say where the best value lies"
        ends: tuple[float, ...] = ()
        if best is not None:
            middle, ends = best.value / unit, (best.low / unit, best.high / unit)
            low, high = map(shown_number, ends)
            where = f"Best near {shown_number(middle)}, with 95 % from {low} to {high}"
        y = axis_around(PERCENT, errors)
        log = bool(values.min() > 0 and values.max() / values.min() > SPREAD)
        x = axis_around(label, values, log=log)
        correlation = rank_correlation(values, errors)
        order = np.argsort(values, kind="stable")
        charts.append(
            Chart(
                key=f"error_by_{name.replace('.', '_')}",
                title=label[0].upper() + label[1:] if name in UNITS else name,
                x=x,
                y=y,
                lines=[
                    Line(list(zip(values.tolist(), errors.tolist(), strict=True)), "a small", dots=True, joined=False)
                ],
                bands=[Band([(end, y.low, y.high) for end in ends], "b")] if ends else [],
                marked_x=middle,
                text=where + f"; {in_words(correlation)}.",
                table=Table(
                    [Column(label, True), Column(PERCENT, True), Column("trial", True)],
                    [
                        [
                            Cell(shown_number(float(values[at])), float(values[at])),
                            number_cell(float(errors[at]), 2),
                            Cell(str(trials[at]), trials[at]),
                        ]
                        for at in order
                    ],
                    f"{label} and error of each trial",
                ),
            )
        )
    return charts


def curve_chart(population: Population) -> Chart:
    """The error after each epoch."""
    known = [result for result in population if result.rows]
    finished = sorted(population.finished, key=lambda result: (result.error, result.trial.number))
    best, worst = finished[0], finished[-1]
    step = max(1, len(known) // MOST_CURVES)

    def points(errors: Sequence[float]) -> list[Point]:
        return [(epoch, float(error)) for epoch, error in enumerate(errors, start=1)]

    lines = [Line(points(result.errors.tolist()), "o thin") for result in known[::step]]
    epochs = range(1, max(len(result.rows) for result in known) + 1)
    median = [float(np.median([each.errors[at - 1] for each in known if len(each.rows) >= at])) for at in epochs]
    lines += [
        Line(points(worst.errors.tolist()), "b"),
        Line(points(median), "c"),
        Line(points(best.errors.tolist()), "a"),
    ]
    rows = [
        [
            Cell(str(epoch), epoch),
            *(
                number_cell(float(each.errors[epoch - 1]) if len(each.rows) >= epoch else None, 2)
                for each in (best, worst)
            ),
            number_cell(median[epoch - 1], 2),
            Cell(f"{sum(len(each.rows) >= epoch for each in known):,}", epoch),
        ]
        for epoch in epochs
    ]
    columns = [Column(name, True) for name in ("epoch", "best", "worst", "median", "trials")]
    every = [float(error) for result in known for error in result.errors]
    return Chart(
        key="curves",
        title="Error by epoch",
        size=(560, 330),
        x=axis_around("epoch", epochs),
        y=axis_around(PERCENT, every),
        lines=lines,
        legend=[("a", "best"), ("c", "median of those that trained so far"), ("b", "worst")],
        table=Table(columns, rows, "Error by epoch in percent"),
    )
