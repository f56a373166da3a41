"""The rule for every output: one process at a time, no unfinished job is lost, and replacing is announced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from regnety.inference.jobs.parts import is_unfinished, refuse_unfinished
from regnety.inference.jobs.places import LocalPlace, Place, place_of


@contextmanager
def claimed(
    output: str | Path,
    *,
    is_folder: bool = False,
    resume: bool = False,
    check: Callable[[], object] = lambda: None,
) -> Iterator[Place]:
    """Be the only process that writes an output, from before the work until the output is in its place.

    Args:
        output: a path, or an address that fsspec reaches.
        is_folder: whether a folder is written.
        resume: an unfinished job is resumed, and a finished output left as it is.
        check: called once no other process can write there; raises if what is there must not be replaced.

    Yields:
        The place; `replaces` says whether something is replaced.

    Raises:
        JobError: another process is writing it, or it has an unfinished job and `resume` is not set.
    """
    # `place_of` would refuse a folder that exists: only a command that writes folders may replace one
    place = LocalPlace(output, is_folder=True) if is_folder else place_of(output)
    with place.locked():
        try:
            if not resume:
                refuse_unfinished(place)
            # within the lock, so that no other command puts something there between the check and the rename
            check()
            # with resume a finished output is left as it is, unless there is an unfinished job that will replace it
            place.replaces = place.is_finished() and (not resume or is_unfinished(place))
            yield place
        finally:
            # parts are the one thing that a later --resume needs; anything else in the folder is ours to remove
            if not is_unfinished(place):
                place.remove_folder()
