"""What a check found, as a value."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong with a data set.

    Args:
        title: what, as "copies in two classes"; each check has at most one finding of a title.
        text: a sentence: how many, and what to do.
        count: of photographs, or of groups of copies, or of classes.
        examples: all of them. Names of photographs, of which copies stand together; names of classes; for a photograph
            that cannot be read a line that begins with its name.
    """

    title: str
    text: str
    count: int
    examples: tuple[tuple[str, ...], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "title": self.title,
            "text": self.text,
            "count": self.count,
            "examples": [list(names) for names in self.examples],
        }
