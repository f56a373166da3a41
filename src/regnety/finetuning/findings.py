"""What the data check says to a run: what stops it, what is said, and what the report shows."""

from regnety.datasets.checking.data_check import DataCheck
from regnety.datasets.unreadable import UnreadablePicturesError
from regnety.reports.content import Finding

UNREADABLE = "unreadable"
"""The title of the finding that stops a run, or is left out."""
MOST_EXAMPLES = 12
"""Photographs that the report names for a finding."""


def refuse_unreadable(errors: list[str], count: int) -> None:
    """Stop where photographs cannot be read.

    Args:
        errors: a line for each of them.
        count: number of photographs that were looked at.

    Raises:
        UnreadablePicturesError: there are any.
    """
    if errors:
        it = "it" if len(errors) == 1 else "them"
        advice = f"repair or remove {it}, or go on without {it}: --skip-unreadable (skip_unreadable=True)"
        raise UnreadablePicturesError(errors, count, advice)


def unreadable_in(check: DataCheck) -> list[str]:
    """A line for each photograph that cannot be read."""
    return [line for finding in check.findings if finding.title == UNREADABLE for (line,) in finding.examples]


def lines_of(check: DataCheck) -> list[str]:
    """A line for each other finding."""
    return [f"{finding.title}: {finding.text}" for finding in check.findings if finding.title != UNREADABLE]


def for_report(check: DataCheck) -> tuple[Finding, ...]:
    """As the report shows them."""
    return tuple(
        Finding(
            title=finding.title,
            text=finding.text,
            count=finding.count,
            examples=tuple(" = ".join(names) for names in finding.examples[:MOST_EXAMPLES]),
        )
        for finding in check.findings
    )
