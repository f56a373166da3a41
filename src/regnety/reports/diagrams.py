"""The diagrams of a report: each a picture, its legend, and a table with its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regnety.reports.charts import Axis, Bar, Line, axis_around, line_chart, shown_number, small_chart, thinned
from regnety.reports.content import Curve
from regnety.reports.probabilities import Reliability, RiskCoverage, RocCurve
from regnety.reports.tables import Cell, Column, Table, count_cell, interval, number_cell, percent, percent_cell
from regnety.text import counted

if TYPE_CHECKING:
    from markupsafe import Markup

STYLES = ("a", "b", "c", "d")
"""Classes of the style sheet that give lines their colours."""
COUNTS_HEIGHT = 0.22
"""Share of a chart's height that the bars of counts take."""
FALSE_POSITIVE_RATES = (0.01, 0.05, 0.10, 0.20)
COVERAGES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)


@dataclass(frozen=True, slots=True)
class Diagram:
    """A picture with what belongs to it.

    Args:
        title: above it.
        picture: SVG.
        legend: (class of the style sheet, name) of each line.
        table: its numbers.
        text: a sentence on how to read it.
    """

    title: str
    picture: "Markup"
    table: Table
    legend: Sequence[tuple[str, str]] = ()
    text: str = ""


def curve_diagram(curve: Curve) -> Diagram:
    """Figures along one axis."""
    values = [value for series in curve.series.values() for value in series if value is not None]
    styles = {name: STYLES[at % len(STYLES)] for at, name in enumerate(curve.series)}
    picture = line_chart(
        f"{curve.title} by {curve.x_label}",
        axis_around(curve.x_label, curve.x, log=curve.log_x),
        axis_around(curve.y_label, values),
        [
            Line(
                [(x, y) for x, y in zip(curve.x, series, strict=True) if y is not None],
                styles[name],
                dots=len(curve.x) <= 25,
            )
            for name, series in curve.series.items()
        ],
        marked_x=curve.chosen,
    )
    rows = [
        [
            Cell(shown_number(x), x),
            *(
                Cell("", -1.0) if y is None else Cell(f"{y:.4g}", y)
                for y in (each[at] for each in curve.series.values())
            ),
        ]
        for at, x in enumerate(curve.x)
    ]
    columns = [Column(curve.x_label, True), *(Column(name, True) for name in curve.series)]
    chosen = (
        "" if curve.chosen is None else f"The line marks what was chosen: {curve.x_label} {shown_number(curve.chosen)}."
    )
    legend = [(style, name) for name, style in styles.items()] if len(styles) > 1 else []
    return Diagram(curve.title, picture, Table(columns, rows, curve.title), legend, chosen)


def reliability_diagram(after: Reliability, before: Reliability | None) -> Diagram:
    """How often answers of some probability are right; on the dashed line they are right as often as they say."""
    most = max(each.right.count for each in after.bins)
    filled = [each for each in after.bins if each.right.count]
    points = [(each.confidence, each.right.percent / 100) for each in filled]
    spans = [(each.confidence, low / 100, high / 100) for each in filled for low, high in [each.right.interval]]
    lines = [Line([(0, 0), (1, 1)], "ideal")]
    legend = []
    if before is not None:
        faint = [(each.confidence, each.right.percent / 100) for each in before.bins if each.right.count]
        lines.append(Line(faint, "b", dots=True))
        legend = [("a", "after the temperature"), ("b", "before")]
    lines.append(Line(points, "a", dots=True, spans=spans))
    picture = line_chart(
        "How often answers are right, by their probability",
        Axis("probability of the answer", 0, 1),
        Axis("share that is right", 0, 1),
        lines,
        bars=[Bar(each.low, each.high, COUNTS_HEIGHT * each.right.count / most) for each in after.bins],
    )
    columns = [
        Column("probability", True),
        Column("photographs", True),
        Column("mean probability", True),
        Column("right", True),
        Column("95 % interval", True),
        *([Column("right before", True), Column("photographs before", True)] if before else []),
    ]
    rows = []
    for at, each in enumerate(after.bins):
        row = [
            Cell(f"{each.low:.1f} to {each.high:.1f}", each.low),
            count_cell(each.right.count),
            number_cell(each.confidence),
            percent_cell(each.right.percent),
            Cell(interval(each.right), each.right.interval[0]),
        ]
        if before is not None:
            was = before.bins[at].right
            row += [percent_cell(was.percent), count_cell(was.count)]
        rows.append(row)
    text = f"Expected calibration error {percent(100 * after.error)}"
    text += f", {percent(100 * before.error)} before the temperature." if before is not None else "."
    return Diagram(
        "Reliability",
        picture,
        Table(columns, rows, "Reliability"),
        legend,
        f"{text} On the dashed line a probability is what it says; the bars below count the photographs.",
    )


def risk_diagram(curves: Sequence[tuple[str, RiskCoverage]]) -> Diagram:
    """What share of the answers is wrong if only the surest are taken, of one model or of several."""
    lines = [
        Line(thinned([*zip(curve.coverage.tolist(), curve.risk.tolist(), strict=True)], distance=0.3), style)
        for style, (_, curve) in zip(STYLES, curves, strict=False)
    ]
    highest = max(5.0, *(float(curve.risk.max()) for _, curve in curves))
    picture = line_chart(
        "Wrong answers by the share of photographs that is left to the model",
        Axis("left to the model, in percent of all", 0, 100),
        axis_around("wrong of these, in percent", [0, highest]),
        lines,
    )
    columns = [Column("left to the model", True)]
    for name, _ in curves:
        columns += [Column(f"wrong{f', {name}' if name else ''}", True), Column("least probability", True)]
    rows = []
    for coverage in COVERAGES:
        row = [percent_cell(coverage, 0)]
        for _, curve in curves:
            at = min(int(np.searchsorted(curve.coverage, coverage - 1e-9)), len(curve.risk) - 1)
            row += [percent_cell(float(curve.risk[at])), number_cell(float(curve.thresholds[at]))]
        rows.append(row)
    legend = [(style, name) for style, (name, _) in zip(STYLES, curves, strict=False)] if len(curves) > 1 else []
    area = "; ".join(f"{f'{name}: ' if name else ''}{percent(100 * curve.area)}" for name, curve in curves)
    text = f"From left to right less and less sure answers are taken. Mean over all shares: {area}."
    return Diagram("Risk and coverage", picture, Table(columns, rows, "Risk and coverage"), legend, text)


@dataclass(frozen=True, slots=True)
class SmallRoc:
    """A class's ROC curve."""

    name: str
    picture: "Markup"
    auc: float


def small_roc(name: str, curve: RocCurve, auc: float) -> SmallRoc:
    """The curve of one class."""
    points = thinned([*zip(curve.x.tolist(), curve.y.tolist(), strict=True)], distance=0.008)
    return SmallRoc(name, small_chart(f"ROC curve of {name}, area {auc:.3f}", points), auc)


def roc_table(curves: Sequence[tuple[str, RocCurve, float]]) -> Table:
    """The area of each class, and how many of its photographs are found at some rates of false alarms."""
    columns = [
        Column("class", is_name=True),
        Column("area", True),
        *(Column(f"found at {100 * rate:.0f}\u202f% false alarms", True) for rate in FALSE_POSITIVE_RATES),
    ]
    rows = [
        [
            Cell(name),
            number_cell(auc),
            *(percent_cell(100 * float(curve.y[curve.x <= rate + 1e-12].max())) for rate in FALSE_POSITIVE_RATES),
        ]
        for name, curve, auc in curves
    ]
    return Table(columns, rows, f"ROC curves of {counted(len(curves), 'class', 'classes')}")
