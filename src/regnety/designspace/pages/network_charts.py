"""The paper's pictures of networks: widths of the best and of the worst, and what the best ones cost."""

import math

import numpy as np
import numpy.typing as npt

from regnety.architecture.design import Design
from regnety.designspace.comparisons import Values, rank_correlation
from regnety.designspace.pages.chart import Chart
from regnety.designspace.pages.error_charts import PERCENT, in_words
from regnety.designspace.populations import Population, TrialResult
from regnety.designspace.trends import fit_trend
from regnety.designspace.width_fits import fit_design
from regnety.reports.charts import Axis, Line, axis_around, shown_number
from regnety.reports.tables import Cell, Column, Table, number_cell

SHOWN = 3
"""Networks among the best, and among the worst."""
BEST_SHARE = 0.25
"""Of the trials whose cost is fitted."""
MILLION = 1e6


def width_charts(population: Population) -> tuple[list[Chart], list[Chart]]:
    """Widths of each block of the best networks, and of the worst."""
    ordered = sorted(population.finished, key=lambda result: (result.error, result.trial.number))
    shown = min(SHOWN, len(ordered) // 2)
    return [width_chart(result) for result in ordered[:shown]], [
        width_chart(result) for result in ordered[-shown:] if shown
    ]


def width_chart(result: TrialResult) -> Chart:
    """Widths of each block, with the straight line of the nearest linear design."""
    stages = result.design.fitted_stages()
    widths = [stage.width for stage in stages for _ in range(stage.depth)]
    steps = [(block + side, float(width)) for block, width in enumerate(widths) for side in (-0.5, 0.5)]
    lines = [Line(steps, "a")]
    fit = fit_design(result.design)
    lines.insert(0, Line([(float(block), fit.w0 + fit.wa * block) for block in range(len(widths))], "ideal"))
    rows = [
        [
            Cell(f"s{number}", number),
            *(Cell(f"{value:,}", value) for value in (stage.width, stage.depth, stage.group_width)),
        ]
        for number, stage in enumerate(stages, start=1)
    ]
    columns = [Column("stage"), *(Column(name, True) for name in ("width", "blocks", "group width"))]
    number = result.trial.number
    return Chart(
        key=f"widths_{number}",
        title=f"Trial {number}: {result.error:.2f} %",
        x=Axis("block", -0.5, len(widths) - 0.5),
        y=axis_around("", [0, *(y for line in lines for _, y in line.points)]),
        lines=lines,
        size=(270, 190),
        text="" if isinstance(result.design, Design) else f"The nearest linear design is off by e_fit {fit.error:.3f}.",
        table=Table(columns, rows, f"Stages of trial {number}"),
    )


def fit_chart(population: Population) -> Chart | None:
    """e_fit, how far each network is from a linear design, against the error; None for RegNets, which are linear."""
    results = population.finished
    if all(isinstance(result.design, Design) for result in results):
        return None
    fits = np.array([fit_design(result.design).error for result in results])
    errors = population.errors
    order = np.argsort(fits, kind="stable")
    return Chart(
        key="error_by_e_fit",
        size=(560, 330),
        title="Distance from a linear design",
        x=axis_around("e_fit", [0.0, *fits]),
        y=axis_around(PERCENT, errors),
        lines=[Line(list(zip(fits.tolist(), errors.tolist(), strict=True)), "a small", dots=True, joined=False)],
        text="The mean of |ln(width of the nearest linear design / width)| over the blocks, beside the error: "
        f"{in_words(rank_correlation(fits, errors))}.",
        table=Table(
            [Column("e_fit", True), Column(PERCENT, True), Column("trial", True)],
            [
                [
                    number_cell(float(fits[at]), 3),
                    number_cell(float(errors[at]), 2),
                    Cell(str(results[at].trial.number), results[at].trial.number),
                ]
                for at in order
            ],
            "Distance from a linear design, and error",
        ),
    )


def cost_charts(population: Population) -> list[Chart]:
    """Parameters and activations of the best quarter by multiply-adds, with a line and with a root fitted to them."""
    errors = population.errors
    best = np.argsort(errors, kind="stable")[: max(3, math.ceil(BEST_SHARE * len(errors)))]
    macs = population.column("macs") / MILLION
    charts = []
    for name, title in (("num_params", "Parameters"), ("activations", "Activations")):
        values = population.column(name) / MILLION
        rest = np.setdiff1d(np.arange(len(errors)), best)
        lines = [
            Line(
                list(zip(macs[rest].tolist(), values[rest].tolist(), strict=True)),
                "o small faint",
                dots=True,
                joined=False,
            ),
            Line(
                list(zip(macs[best].tolist(), values[best].tolist(), strict=True)), "a small", dots=True, joined=False
            ),
        ]
        text = ""
        if len(np.unique(macs[best])) > 2:
            places = np.linspace(float(macs.min()), float(macs.max()), 40)
            start, slope = fit_trend(macs[best], values[best]).coefficients
            root = float(values[best] @ np.sqrt(macs[best]) / macs[best].sum())
            lines += [
                Line(list(zip(places.tolist(), (start + slope * places).tolist(), strict=True)), "b"),
                Line(list(zip(places.tolist(), (root * np.sqrt(places)).tolist(), strict=True)), "c dashed"),
            ]
            text = (
                f"Of the best quarter: {shown_number(start)} + {shown_number(slope)} · macs, off by "
                f"{_deviation(values[best], start + slope * macs[best])} %; {shown_number(root)} · √macs, off by "
                f"{_deviation(values[best], root * np.sqrt(macs[best]))} %."
            )
        charts.append(
            Chart(
                key=f"{name}_by_macs",
                title=f"{title} of the best quarter",
                x=axis_around("million macs", macs),
                y=axis_around(f"million {title.lower()}", [0.0, *values]),
                lines=lines,
                legend=[("a", "best quarter"), ("o", "others"), ("b", "line"), ("c", "root")],
                text=text,
                table=_cost_table(population, best, name, title),
            )
        )
    return charts


def _deviation(values: Values, fitted: Values) -> str:
    """Mean relative deviation in percent."""
    return f"{100 * float(np.mean(np.abs(fitted - values) / values)):.1f}"


def _cost_table(population: Population, best: npt.NDArray[np.intp], name: str, title: str) -> Table:
    macs, values = population.column("macs") / MILLION, population.column(name) / MILLION
    return Table(
        [Column("trial", True), Column("million macs", True), Column(f"million {title.lower()}", True)],
        [
            [
                Cell(str(population.finished[at].trial.number), population.finished[at].trial.number),
                *(Cell(shown_number(float(each[at])), float(each[at])) for each in (macs, values)),
            ]
            for at in best
        ],
        f"{title} of the best quarter",
    )
