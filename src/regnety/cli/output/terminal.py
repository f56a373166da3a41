"""What a terminal can show: its width, whether it has colours, and texts cut or filled to a number of columns."""

import os
import shutil
import sys
import unicodedata
from typing import TextIO


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person reads a stream, by default stdout."""
    stream = stream or sys.stdout
    return stream.isatty()


def has_colours(stream: TextIO | None = None) -> bool:
    """On a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal; None for a pipe or a file, whose lines may be of any length."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def columns_of(text: str) -> int:
    """How many columns a text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        # W and F: wide and fullwidth, as Chinese and Japanese letters are
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def shortened(text: str, limit: int) -> str:
    """A text in at most `limit` columns, its middle omitted: the end of a path says more."""
    if columns_of(text) <= limit:
        return text
    # one character more from the front and from the back in turn, as the widths of characters differ
    head = tail = ""
    for position in range(len(text)):
        step = text[: position // 2 + 1], text[len(text) - (position + 1) // 2 :]
        if columns_of(step[0]) + columns_of(step[1]) + 1 > limit:
            break
        head, tail = step
    return f"{head}…{tail}"


def padded(text: str, size: int, *, right: bool = False) -> str:
    """A text padded with spaces to `size` columns; str.ljust would count characters."""
    filling = " " * (size - columns_of(text))
    return filling + text if right else text + filling
