"""The report as a file: what it shows, and that it can neither load nor run what a stranger's names hold."""

import re
from pathlib import Path

import numpy as np

from regnety.reports.content import ReportContent, ScoredPhotographs
from regnety.reports.report import write_report

HOSTILE = ('<script>alert("1")</script>', "\"' onload=x", "naïve 雪 \u202egnp", "x" * 300)


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    content = ReportContent(
        model=HOSTILE[0],
        classes=HOSTILE,
        scored=ScoredPhotographs(
            split="test", names=HOSTILE, targets=np.array([0, 1, 2, 3]), predictions=np.array([1, 2, 3, 0])
        ),
    )
    text = write_report(tmp_path / "report.html", content).read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert re.findall(r'(?:src|href)="(?!data:image/jpeg;base64,|#)[^"]*"', text) == []
