"""Every photograph of a data set, looked at once: what cannot be read, what is blank, what is tiny."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from regnety.datasets.checking.findings import Finding
from regnety.datasets.samples import Sample
from regnety.errors import ImageError
from regnety.images.thumbnails import Thumbnail, thumbnail
from regnety.progress import Progress
from regnety.text import counted
from regnety.threads import in_threads

TINY_SIDE = 32
"""Pixels of the shorter side below which a picture is tiny, if most others have at least twice as many as it: a data
set may be of small pictures throughout."""
BLANK = 8
"""Grey levels between the darkest and the brightest place of a small picture, up to which it shows nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen of a sample."""

    sample: Sample
    seen: Thumbnail | None
    """None if it cannot be read."""
    error: str | None = None
    """One line that begins with its name; None if it can be read."""

    @property
    def is_blank(self) -> bool:
        """Whether it is of one colour."""
        return self.seen is not None and int(self.seen.grey.max()) - int(self.seen.grey.min()) <= BLANK


def look_at(samples: Sequence[Sample], *, max_pixels: int, quiet: bool) -> list[Look]:
    """Read every photograph, on all cores."""
    looks = in_threads(partial(_look, max_pixels=max_pixels), samples)
    with Progress("looking at the photographs", total=len(samples), quiet=quiet) as progress, closing(looks):
        seen = []
        for look in looks:
            seen.append(look)
            progress.advance()
        return seen


def picture_findings(looks: Sequence[Look]) -> Iterator[Finding]:
    """What is wrong with single photographs."""
    if errors := [(look.error,) for look in looks if look.error is not None]:
        text = f"{counted(len(errors), 'photograph')} cannot be read; repair or remove {_them(errors)}"
        yield Finding(title="unreadable", text=text, count=len(errors), examples=tuple(errors))
    if blank := [(look.sample.name,) for look in looks if look.is_blank]:
        text = f"{counted(len(blank), 'photograph')} of one colour; look at {_them(blank)}"
        yield Finding(title="blank", text=text, count=len(blank), examples=tuple(blank))
    sides = [min(look.seen.width, look.seen.height) for look in looks if look.seen is not None]
    usual = statistics.median(sides) if sides else 0
    tiny = [
        (look.sample.name,)
        for look in looks
        if look.seen is not None and 2 * (side := min(look.seen.width, look.seen.height)) <= usual and side < TINY_SIDE
    ]
    if tiny:
        text = (
            f"{counted(len(tiny), 'photograph')} under {TINY_SIDE} pixels high or wide, where the usual one has "
            f"{usual:g}; look at {_them(tiny)}"
        )
        yield Finding(title="tiny", text=text, count=len(tiny), examples=tuple(tiny))


def _them(found: Sequence[object]) -> str:
    return "it" if len(found) == 1 else "them"


def _look(sample: Sample, *, max_pixels: int) -> Look:
    try:
        return Look(sample, thumbnail(sample.image, max_pixels=max_pixels))
    except ImageError as error:
        return Look(sample, None, str(error))
