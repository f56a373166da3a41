"""The tables of two reports beside each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from regnety.reports.comparison import Comparison
from regnety.reports.content import ReportContent
from regnety.reports.probabilities import operating_point, reliability
from regnety.reports.sections import WANTED, facts
from regnety.reports.shares import Share
from regnety.reports.statistics import Figures
from regnety.reports.tables import Cell, Column, Table, count_cell, number_cell, percent_cell, share_cell


def _calibration_error(content: ReportContent, _: Figures) -> float | None:
    scored = content.scored
    return None if scored.confidences is None else 100 * reliability(scored.confidences, scored.right).error


def _covered(wanted: float, content: ReportContent, _: Figures) -> float | None:
    scored = content.scored
    if scored.confidences is None:
        return None
    point = operating_point(scored.confidences, scored.right, wanted)
    return 0.0 if point is None else point.covered.percent


@dataclass(frozen=True, slots=True)
class _Figure:
    """A row of the table: what it is, its value of a report, how it is shown, and how a difference is."""

    name: str
    of: Callable[[ReportContent, Figures], float | None]
    cell: Callable[[float | None], Cell]
    difference: str = "{:+.1f}"


FIGURES = (
    _Figure("photographs", lambda content, _: len(content.scored), lambda value: number_cell(value, 0), "{:+.0f}"),
    _Figure("accuracy", lambda _, figures: figures.top1.percent, percent_cell),
    _Figure("balanced accuracy", lambda _, figures: figures.balanced_accuracy, percent_cell),
    _Figure("macro F1", lambda _, figures: figures.macro_f1, percent_cell),
    _Figure("top 5", lambda _, figures: figures.top5, percent_cell),
    _Figure("ROC area", lambda _, figures: figures.macro_auc, number_cell, "{:+.3f}"),
    _Figure("loss", lambda _, figures: figures.loss, number_cell, "{:+.3f}"),
    _Figure("calibration error", _calibration_error, percent_cell),
    *(
        _Figure(f"left to the model at {wanted:.0f}\u202f% precision", partial(_covered, wanted), percent_cell)
        for wanted in WANTED
    ),
    _Figure("seconds", lambda content, _: sum(content.seconds.values()) or None, lambda value: number_cell(value, 1)),
)
"""In the order of the table; a row that neither report has is left out."""


def figure_table(comparison: Comparison) -> Table:
    """The figures of the whole, each on its own photographs."""
    rows = []
    for figure in FIGURES:
        values = [
            figure.of(content, figures)
            for content, figures in zip(comparison.contents, comparison.figures, strict=True)
        ]
        if any(value is not None for value in values):
            rows.append([Cell(figure.name), *map(figure.cell, values), _difference(values, figure.difference)])
    first, second = comparison.names
    columns = [Column("figure"), Column(first, True), Column(second, True), Column("difference", True)]
    return Table(columns, rows, "Figures of both")


def _difference(values: Sequence[float | None], form: str) -> Cell:
    one, other = values
    if one is None or other is None:
        return Cell("", -math.inf)
    text = form.format(other - one)
    # no sign where nothing is left of the difference, and a minus that is as wide as a plus
    return Cell(text[1:] if float(text) == 0 else text.replace("-", "\u2212"), other - one)


def agreement_table(comparison: Comparison) -> Table:
    """How often both are right about the same photographs, only one of them, and neither."""
    one, other = comparison.right
    count = len(one)
    first, second = comparison.names
    kinds = [
        ("both right", int((one & other).sum())),
        (f"only {first} right", comparison.only[0]),
        (f"only {second} right", comparison.only[1]),
        ("both wrong", int((~one & ~other).sum())),
    ]
    rows = [[Cell(name), count_cell(number), percent_cell(100 * number / count)] for name, number in kinds]
    return Table(
        [Column("answers", is_name=True), Column("photographs", True), Column("of the same", True)], rows, "Agreement"
    )


def class_table(comparison: Comparison) -> Table:
    """Every class that either has, each on its own photographs."""
    shares: list[dict[str, Share]] = [
        {content.classes[each.number]: each.recall for each in figures.per_class}
        for content, figures in zip(comparison.contents, comparison.figures, strict=True)
    ]
    first, second = comparison.names
    nothing, names = Share(0, 0), list(dict.fromkeys([*shares[0], *shares[1]]))
    both = [(shares[0].get(name, nothing), shares[1].get(name, nothing)) for name in names]
    is_same = all(one.count == other.count for one, other in both)
    hint = "of the photographs of the class, with the 95\u202f% interval as a bar"
    columns = [Column("class", is_name=True), Column("photographs" if is_same else f"photographs, {first}", True)]
    columns += [] if is_same else [Column(f"photographs, {second}", True)]
    columns += [Column(first, True, hint), Column(second, True, hint), Column("difference", True)]
    rows = []
    for name, (one, other) in zip(names, both, strict=True):
        counts = [count_cell(one.count)] if is_same else [count_cell(one.count), count_cell(other.count)]
        known = [share.percent if share.count else None for share in (one, other)]
        rows.append([Cell(name), *counts, share_cell(one), share_cell(other), _difference(known, "{:+.1f}")])
    return Table(columns, rows, "Accuracy by class")


def fact_table(comparison: Comparison) -> Table:
    """How each was made."""
    one, other = (dict(facts(content)) for content in comparison.contents)
    rows = [[Cell(name), Cell(one.get(name, "")), Cell(other.get(name, ""))] for name in dict.fromkeys([*one, *other])]
    first, second = comparison.names
    columns = [Column("what", is_name=True), Column(first, is_name=True), Column(second, is_name=True)]
    return Table(columns, rows, "How each was made")
