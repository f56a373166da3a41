"""The report as one HTML file that loads nothing."""

from pathlib import Path

from regnety.reports.content import ReportContent
from regnety.reports.rendering import rendered
from regnety.reports.sections import page_of
from regnety.storage.replacing import replacing

REPORT_FILE = "report.html"
"""In the folder of a run."""


def write_report(path: str | Path, content: ReportContent) -> Path:
    """Write the report: verdict, accuracy by class, confusions, mistakes, calibration, and what it cost.

    Args:
        path: of the HTML file; an old one is replaced once the new one is whole.
        content: what it says.

    Raises:
        MissingExtraError: jinja2 is not installed.
        OSError: the file cannot be written.
    """
    text = rendered("report.html", page_of(content))
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
    return Path(path)
