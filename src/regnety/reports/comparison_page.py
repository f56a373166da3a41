"""Two reports beside each other as one HTML file that loads nothing."""

from pathlib import Path
from typing import Any

import numpy as np

from regnety.reports.comparison import Comparison, verdict
from regnety.reports.comparison_tables import agreement_table, class_table, fact_table, figure_table
from regnety.reports.diagrams import Diagram, risk_diagram
from regnety.reports.photographs import Photo, compared_photo
from regnety.reports.probabilities import risk_coverage
from regnety.reports.rendering import rendered
from regnety.storage.replacing import replacing

MOST_CHANGES = 24
"""Photographs that are shown of each kind of change."""


def write_comparison(path: str | Path, comparison: Comparison) -> Path:
    """Write two reports beside each other as one HTML file that loads nothing.

    Args:
        path: of the HTML file; an old one is replaced once the new one is whole.
        comparison: the two.

    Raises:
        MissingExtraError: jinja2 is not installed.
        OSError: the file cannot be written.
    """
    text = rendered("comparison.html", _page_of(comparison))
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
    return Path(path)


def _page_of(comparison: Comparison) -> dict[str, Any]:
    lost, won = _changes(comparison)
    both = [*zip(comparison.names, comparison.contents, strict=True)]
    return {
        "title": " beside ".join(comparison.names),
        "kind": "Comparison",
        "verdict": verdict(comparison),
        "names": comparison.names,
        "notices": [f"{name}: {notice}" for name, content in both for notice in content.notices],
        "figures": figure_table(comparison),
        "agreement": agreement_table(comparison) if len(comparison.common[0]) else None,
        "classes": class_table(comparison),
        "won": won,
        "lost": lost,
        "num_won": comparison.only[1],
        "num_lost": comparison.only[0],
        "risk": _risk(comparison),
        "facts": fact_table(comparison),
        "commands": [(name, content.command) for name, content in both if content.command],
    }


def _changes(comparison: Comparison) -> tuple[list[Photo], list[Photo]]:
    """Photographs that only the first is right about, and only the second: those that have a picture first."""
    one, other = comparison.right
    first, second = comparison.common
    kinds = []
    for changed in (one & ~other, other & ~one):
        photos = [
            compared_photo(comparison.contents, (int(first[at]), int(second[at]))) for at in np.flatnonzero(changed)
        ]
        kinds.append(sorted(photos, key=lambda photo: photo.photograph is None)[:MOST_CHANGES])
    return kinds[0], kinds[1]


def _risk(comparison: Comparison) -> Diagram | None:
    curves = [
        (name, risk_coverage(content.scored.confidences, content.scored.right))
        for name, content in zip(comparison.names, comparison.contents, strict=True)
        if content.scored.confidences is not None
    ]
    return risk_diagram(curves) if curves else None
