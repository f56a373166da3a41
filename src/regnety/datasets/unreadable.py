"""Photographs that cannot be read, as one error with a line for each."""

from collections.abc import Sequence

from regnety.errors import ImageError


class UnreadablePicturesError(ImageError):
    """Some photographs of a data set cannot be read.

    Args:
        errors: a line for each.
        count: number of photographs that were checked.
        advice: what to do.
    """

    def __init__(self, errors: Sequence[str], count: int, advice: str) -> None:
        told = errors[0] if len(errors) == 1 else f"{len(errors)} of {count} pictures cannot be read"
        super().__init__(f"{told}; {advice}")
        self.errors = tuple(errors)
