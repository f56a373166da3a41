"""Places of outputs: claimed before the work begins, so that no two processes write one (`jobs/claims.py`)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.cli.output.notices import say

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


def say_replaced(place: "Place | None", *, quiet: bool = False) -> None:
    """Say that a file will be replaced, before the work begins: there is still time for Ctrl-C."""
    if place is not None and place.replaces and not quiet:
        say(f"{place.name}: already exists; it is replaced when the new one is complete")


def is_stream(output: str | Path) -> bool:
    """Whether an output is a device or a pipe, such as /dev/stdout."""
    # nothing can be written beside it and renamed: it takes rows as they come
    return os.path.exists(output) and not (os.path.isfile(output) or os.path.isdir(output))
