"""What the page shows, from what the report knows: sentences, rows and numbers, ready for the template."""

from typing import Any

from regnety.reports.content import ReportContent
from regnety.reports.shares import Share
from regnety.reports.statistics import Figures
from regnety.text import counted


def page_of(content: ReportContent) -> dict[str, Any]:
    """The values of `page/report.html`."""
    figures = Figures(content.scored, len(content.classes))
    return {
        "title": content.model,
        "verdict": verdict(content, figures),
        "classes": [
            {
                "name": content.classes[each.number],
                "count": each.recall.count,
                "recall": percent(each.recall),
                "precision": percent(each.precision),
            }
            for each in figures.per_class
        ],
    }


def verdict(content: ReportContent, figures: Figures) -> str:
    """The report in one sentence."""
    low, high = figures.top1.interval
    return (
        f"{content.model} is right about {figures.top1.percent:.1f} % ({low:.1f} to {high:.1f} %) "
        f"of {counted(figures.top1.count, f'{content.scored.split} photograph')}"
    )


def percent(share: Share) -> str:
    """With one digit; a dash where there is nothing to be right about."""
    return f"{share.percent:.1f} %" if share.count else "\u2013"
