"""What the page shows, from what the report knows: sentences, rows and numbers, ready for the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regnety.reports.content import ReportContent
from regnety.reports.diagrams import (
    Diagram,
    SmallRoc,
    curve_diagram,
    reliability_diagram,
    risk_diagram,
    roc_table,
    small_roc,
)
from regnety.reports.photographs import data_address, mistakes, pairs, suspects
from regnety.reports.probabilities import operating_point, reliability, risk_coverage, roc_curve
from regnety.reports.statistics import Figures
from regnety.reports.tables import (
    DASH,
    Cell,
    Column,
    Table,
    count_cell,
    interval,
    number_cell,
    percent_cell,
    share_cell,
)
from regnety.reports.verdict import key_figures, verdict

LARGEST_MATRIX = 30
"""Classes up to which all confusions are a matrix; more would fit no screen, and become a list."""
MOST_CONFUSIONS = 200
MOST_LISTED = 200
"""Mistakes of which the page has a table; mistakes.csv has every one."""
MOST_ROCS = 24
WANTED = (90.0, 95.0, 99.0)
"""Precisions in percent."""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A class's photographs by answer: (count, shade from 0 to 1, whether right)."""

    name: str
    cells: Sequence[tuple[int, float, bool]]
    count: int


def page_of(content: ReportContent) -> dict[str, Any]:
    """The values of `page/report.html`."""
    figures = Figures(content.scored, len(content.classes))
    wrong = figures.top1.count - figures.top1.hits
    return {
        "title": content.model,
        "kind": "Report",
        "content": content,
        "verdict": verdict(content, figures),
        "key_figures_shown": key_figures(content, figures),
        "classes": class_table(content, figures),
        "matrix": matrix(content, figures),
        "confusions": confusion_table(content, figures),
        "pairs": pairs(content, figures),
        "mistakes": mistakes(content, figures),
        "mistake_table": mistake_table(content, figures),
        "num_mistakes": wrong,
        "wrong_answers": f"{wrong:,} wrong answer{'' if wrong == 1 else 's'}",
        "suspects": suspects(content),
        "suspect_table": suspect_table(content),
        "reliability": reliability_section(content),
        "risk": risk_section(content),
        "operating_points": operating_table(content),
        **roc_section(content, figures),
        "curves": [curve_diagram(curve) for curve in content.curves],
        "augmented": [(each.name, [data_address(picture) for picture in each.variants]) for each in content.augmented],
        "costs": costs(content),
        "facts": facts(content),
    }


def class_table(content: ReportContent, figures: Figures) -> Table:
    """Every class with its figures, and what it is most often taken for."""
    taken = {pair.target: pair for pair in reversed(figures.confusions)}
    has_areas = any(each.auc is not None for each in figures.per_class)
    columns = [
        Column("class", is_name=True),
        Column("photographs", True),
        Column("right (recall)", True, "of the photographs of the class, with the 95 % interval as a bar"),
        Column("95\u202f% interval", True),
        Column("precision", True, "of the photographs that were taken for the class"),
        Column("F1", True),
    ]
    columns += [Column("ROC area", True)] if has_areas else []
    columns += [Column("trained on", True)] if content.training_counts is not None else []
    columns += [Column("most often taken for", is_name=True)]
    rows = []
    for each in figures.per_class:
        row = [
            Cell(content.classes[each.number]),
            count_cell(each.recall.count),
            share_cell(each.recall),
            Cell(interval(each.recall), each.recall.interval[0] if each.recall.count else -1.0),
            percent_cell(each.precision.percent),
            percent_cell(each.f1),
        ]
        row += [number_cell(each.auc)] if has_areas else []
        row += [count_cell(content.training_counts[each.number])] if content.training_counts is not None else []
        pair = taken.get(each.number)
        row.append(Cell(f"{content.classes[pair.prediction]} ({pair.count})" if pair else DASH))
        rows.append(row)
    return Table(columns, rows, "Accuracy by class")


def matrix(content: ReportContent, figures: Figures) -> list[MatrixRow] | None:
    """The confusion matrix over the classes that occur; None where there are too many."""
    if len(figures.seen_classes) > LARGEST_MATRIX:
        return None
    counts = figures.matrix
    return [
        MatrixRow(
            content.classes[number],
            [(int(count), int(count) / max(1, int(row.sum())), column == at) for column, count in enumerate(row)],
            int(row.sum()),
        )
        for at, (number, row) in enumerate(zip(figures.seen_classes, counts, strict=True))
    ]


def confusion_table(content: ReportContent, figures: Figures) -> Table:
    """Pairs of classes, the most frequent first."""
    support = {each.number: each.recall.count for each in figures.per_class}
    columns = [Column("class", is_name=True), Column("taken for", is_name=True), Column("photographs", True)]
    columns.append(Column("of the class", True))
    rows = [
        [
            Cell(content.classes[pair.target]),
            Cell(content.classes[pair.prediction]),
            count_cell(pair.count),
            percent_cell(100 * pair.count / support[pair.target]),
        ]
        for pair in figures.confusions[:MOST_CONFUSIONS]
    ]
    left = len(figures.confusions) - len(rows)
    return Table(
        columns, rows, "Confusions" if not left else f"The first {len(rows)} confusions; {left} more are rarer"
    )


def mistake_table(content: ReportContent, figures: Figures) -> Table:
    """The worst mistakes as a list."""
    scored, numbers = content.scored, figures.worst_mistakes[:MOST_LISTED].tolist()
    columns = [Column("photograph", is_name=True), Column("labelled", is_name=True), Column("answer", is_name=True)]
    columns += [Column("probability of the answer", True)] if scored.confidences is not None else []
    columns += [Column("of the label", True)] if scored.probabilities is not None else []
    rows = []
    for number in numbers:
        target, answer = int(scored.targets[number]), int(scored.predictions[number])
        row = [Cell(scored.names[number]), Cell(content.classes[target]), Cell(content.classes[answer])]
        row += [number_cell(float(scored.confidences[number]))] if scored.confidences is not None else []
        row += [number_cell(float(scored.probabilities[number, target]))] if scored.probabilities is not None else []
        rows.append(row)
    return Table(columns, rows, "Worst mistakes")


def suspect_table(content: ReportContent) -> Table:
    """All of them."""
    columns = [
        Column("photograph", is_name=True),
        Column("labelled", is_name=True),
        Column("probability of the label", True),
        Column("looks like", is_name=True),
        Column("probability", True),
    ]
    rows = [
        [
            Cell(each.name),
            Cell(content.classes[each.label]),
            number_cell(each.self_confidence),
            Cell(content.classes[each.suggestion]),
            number_cell(each.prob),
        ]
        for each in content.suspects
    ]
    return Table(columns, rows, "Labels that look wrong")


def reliability_section(content: ReportContent) -> Diagram | None:
    """Reliability after the temperature and before it."""
    scored = content.scored
    if scored.confidences is None:
        return None
    before = None
    if scored.uncalibrated is not None:
        # a temperature changes no order, so the answers are the same
        before = reliability(scored.uncalibrated.max(axis=1), scored.uncalibrated.argmax(axis=1) == scored.targets)
    return reliability_diagram(reliability(scored.confidences, scored.right), before)


def risk_section(content: ReportContent) -> Diagram | None:
    """Risk against coverage."""
    scored = content.scored
    if scored.confidences is None:
        return None
    return risk_diagram([("", risk_coverage(scored.confidences, scored.right))])


def operating_table(content: ReportContent) -> Table | None:
    """What can be left to the model at some precisions, and the probability to ask for."""
    scored = content.scored
    if scored.confidences is None:
        return None
    columns = [
        Column("precision wanted", True),
        Column("ask for", True, "regnety predict --min-probability"),
        Column("left to the model", True, "of all photographs"),
        Column("photographs", True),
        Column("right of these", True),
        Column("95\u202f% interval", True),
    ]
    rows = []
    for wanted in WANTED:
        point = operating_point(scored.confidences, scored.right, wanted)
        if point is None:
            rows.append([percent_cell(wanted, 0), Cell("not reached", 2.0), percent_cell(0.0), *[Cell(DASH, -1.0)] * 3])
            continue
        rows.append(
            [
                percent_cell(wanted, 0),
                Cell(f"--min-probability {point.min_probability:g}", point.min_probability),
                percent_cell(point.covered.percent),
                count_cell(point.covered.hits),
                percent_cell(point.precision.percent),
                Cell(interval(point.precision), point.precision.interval[0]),
            ]
        )
    return Table(columns, rows, "What can be left to the model")


def roc_section(content: ReportContent, figures: Figures) -> dict[str, Any]:
    """ROC curves of the classes, the smallest area first where not all of them are shown."""
    probabilities = content.scored.probabilities
    if probabilities is None:
        return {"rocs": [], "rocs_left": 0, "roc_table": None}
    with_area = [each for each in figures.per_class if each.auc is not None]
    chosen = sorted(with_area, key=lambda each: each.auc or 0.0)[:MOST_ROCS]
    chosen.sort(key=lambda each: each.number)
    found: list[tuple[str, Any, float]] = []
    for each in chosen:
        curve = roc_curve(content.scored.targets == each.number, probabilities[:, each.number])
        if curve is not None and each.auc is not None:
            found.append((content.classes[each.number], curve, each.auc))
    pictures: list[SmallRoc] = [small_roc(*each) for each in found]
    return {
        "rocs": pictures,
        "rocs_left": len(with_area) - len(pictures),
        "roc_table": roc_table(found) if found else None,
    }


def costs(content: ReportContent) -> list[tuple[str, str, float]]:
    """(part of the work, seconds as they are read, share of all in percent)."""
    total = sum(content.seconds.values())
    return [
        (name, f"{value:.1f}\u202fs", 100 * value / total if total else 0.0) for name, value in content.seconds.items()
    ]


def facts(content: ReportContent) -> list[tuple[str, str]]:
    """Everything that explains the figures, by name."""
    found = [("model", content.model)]
    if content.method:
        found.append(("method", content.method))
    found += [(f"{name} photographs", f"{count:,}") for name, count in content.counts.items()]
    found.append(("classes", f"{len(content.classes):,}"))
    if content.temperature is not None:
        found.append(("temperature", f"{content.temperature:.4g}"))
    if content.seed is not None:
        found.append(("seed", str(content.seed)))
    if content.seconds:
        found.append(("time", f"{sum(content.seconds.values()):.1f}\u202fs"))
    return [*found, *content.facts.items()]
