"""Places of outputs: claimed before the work begins, so that no two processes write one (`jobs/claims.py`)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.notices import say

if TYPE_CHECKING:
    from regnety.inference.jobs.places import Place


def claim(
    output: str | Path,
    *,
    is_folder: bool = False,
    resume: bool = False,
    check: Callable[[], object] = lambda: None,
) -> "Place":
    """Claim the place of an output until this command ends; arguments as for `claims.claimed`.

    Raises:
        JobError: another process is writing it, or an unfinished job stands beside it.
    """
    from regnety.inference.jobs.claims import claimed

    claimed_place = claimed(output, is_folder=is_folder, resume=resume, check=check)
    return click.get_current_context().with_resource(claimed_place)  # given up when the command ends, also by an error


def claim_file(output: str | Path | None, *, check: Callable[[], object] = lambda: None) -> "Place | None":
    """The same for an optional file; a device or a pipe cannot be claimed."""
    return None if output is None or is_stream(output) else claim(output, check=check)


def claim_page(report: Path) -> "Place":
    """The same for a report, if it can be made here: an hour of work must not end in a refusal.

    Raises:
        UsageError: its name is not that of a page.
        MissingExtraError: what makes pages is not installed.
    """
    if report.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{report}: a report is a page; name it .html")
    from regnety.extras import import_extra

    import_extra("jinja2", feature="a report", extra="finetune", parts=("markupsafe",))
    return claim(report)


def say_replaced(place: "Place | None", *, quiet: bool = False) -> None:
    """Say that a file will be replaced, before the work begins: there is still time for Ctrl-C."""
    if place is not None and place.replaces and not quiet:
        say(f"{place.name}: already exists; it is replaced when the new one is complete")


def is_stream(output: str | Path) -> bool:
    """Whether an output is a device or a pipe, such as /dev/stdout."""
    # nothing can be written beside it and renamed: it takes rows as they come
    return os.path.exists(output) and not (os.path.isfile(output) or os.path.isdir(output))
