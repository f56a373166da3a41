"""The verdict: one sentence, and the figures that stand below it."""

from dataclasses import dataclass

import numpy as np

from regnety.reports.content import ReportContent
from regnety.reports.probabilities import operating_point, reliability
from regnety.reports.statistics import Figures
from regnety.reports.tables import percent

FEW = 100
"""Photographs below which the sentence says that there are few."""

MANY_CLASSES = 20
"""Classes from which on the first five answers say something."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the large numbers.

    Args:
        name: of the figure.
        value: as it is read.
        note: a line below it.
        bar: (at, low, high) in percent.
    """

    name: str
    value: str
    note: str
    bar: tuple[float, float, float] | None = None


def verdict(content: ReportContent, figures: Figures) -> str:
    """The report in one sentence."""
    scored, top1 = content.scored, figures.top1
    what = f"{top1.count:,} {scored.split} photograph{'' if top1.count == 1 else 's'}".replace("  ", " ")
    low, high = top1.interval
    range_ = f"95\u202f% interval {low:.1f} to {high:.1f}\u202f%"
    if top1.hits == top1.count:
        few = "with so few of them, " if top1.count < FEW else ""
        parts = [f"right about all of {what}; {few}its accuracy on new ones may be as low as {low:.1f}\u202f%"]
    else:
        parts = [f"right about {percent(top1.percent)} of {what} ({range_})"]
        if figures.confusions and len(content.classes) > 2 and figures.confusions[0].count > 1:
            worst = figures.confusions[0]
            parts.append(f"most often takes {content.classes[worst.target]} for {content.classes[worst.prediction]}")
    if content.seen:
        parts.append("was fitted on them: expect less of it on new ones")
    sentence = f"{content.model} is {parts[0]}"
    if len(parts) > 1:
        sentence += ", and it ".join(["", *parts[1:]]) if len(parts) == 2 else f", it {parts[1]}, and it {parts[2]}"
    return f"{sentence}."


def key_figures(content: ReportContent, figures: Figures) -> list[KeyFigure]:
    """The large numbers: accuracy first."""
    scored, top1 = content.scored, figures.top1
    low, high = top1.interval
    range_ = f"95\u202f% interval {low:.1f} to {high:.1f}\u202f%"
    common = int(np.bincount(scored.targets).argmax())
    always = 100 * int((scored.targets == common).sum()) / len(scored)
    found = [
        KeyFigure("Accuracy", percent(top1.percent), range_, (top1.percent, low, high)),
        KeyFigure("Balanced accuracy", percent(figures.balanced_accuracy), "mean of the classes"),
        KeyFigure("Macro F1", percent(figures.macro_f1), "precision and recall, mean of the classes"),
        KeyFigure("Largest class", percent(always), f"if it always said {content.classes[common]}"),
    ]
    if figures.top5 is not None and len(content.classes) >= MANY_CLASSES:
        found.append(KeyFigure("Top 5", percent(figures.top5), "class is among the first five answers"))
    if content.published_top1 is not None:
        difference = top1.percent - content.published_top1
        source = f", {content.published_source}" if content.published_source else ""
        found.append(
            KeyFigure("Published", f"{content.published_top1:.2f}\u202f%", f"measured {difference:+.2f}{source}")
        )
    if figures.macro_auc is not None:
        found.append(KeyFigure("ROC area", f"{figures.macro_auc:.3f}", "mean of the classes"))
    if scored.confidences is not None:
        error = 100 * reliability(scored.confidences, scored.right).error
        found.append(KeyFigure("Calibration error", percent(error), "between probability and share right"))
        point = operating_point(scored.confidences, scored.right, 95.0)
        value = "0\u202f%" if point is None else percent(point.covered.percent)
        found.append(KeyFigure("Left to the model", value, "of all, at 95\u202f% precision"))
    if figures.loss is not None:
        found.append(KeyFigure("Loss", f"{figures.loss:.4f}", "mean cross-entropy"))
    return found
