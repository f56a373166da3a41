"""What a command writes with --output: claimed before the work, and what is replaced is said (`jobs/claims.py`)."""

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
    """The place of an output that no other process writes until this command ends; arguments as for `claims.claimed`.

    Raises:
        JobError: another process is writing it, or an unfinished job stands beside it.
    """
    from regnety.inference.jobs.claims import claimed

    claimed_place = claimed(output, is_folder=is_folder, resume=resume, check=check)
    return click.get_current_context().with_resource(claimed_place)


def claim_file(output: str | Path | None, *, check: Callable[[], object] = lambda: None) -> "Place | None":
    """The same for a file that is written beside what is printed, if any; a device or a pipe is nobody's."""
    return None if output is None or is_stream(output) else claim(output, check=check)


def say_replaced(place: "Place | None", *, quiet: bool = False) -> None:
    """When the work begins: something stands at its place."""
    if place is not None and place.replaces and not quiet:
        say(f"{place.name}: already exists; it is replaced when the new one is complete")


def is_stream(output: str | Path) -> bool:
    """Whether an output is a device or a pipe (/dev/stdout, a named pipe), which is written as it comes."""
    return os.path.exists(output) and not (os.path.isfile(output) or os.path.isdir(output))
