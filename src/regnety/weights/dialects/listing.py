"""Keys of a file in a sentence: a few of them, on one line, none of them longer than a line can bear."""

from collections.abc import Collection
from itertools import islice

SHOWN = 3
LONGEST = 100
"""Characters of a key; no RegNet's has more than 70."""


def listed(keys: Collection[object], *, most: int = SHOWN) -> str:
    """`conv1.weight, bn1.weight, bn1.bias and 264 more`."""
    shown = ", ".join(_on_one_line(key) for key in islice(keys, most))
    more = len(keys) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _on_one_line(key: object) -> str:
    """A file can name a tensor as it likes, line breaks included; what is no name is shown by its type."""
    text = key[: LONGEST + 1] if isinstance(key, str) else f"<{type(key).__name__}>"
    text = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
