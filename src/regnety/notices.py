"""What is said to the user on stderr beside a result, in one form: a line that begins with the program's name."""

import sys

from regnety.text import one_line, printable


def say(text: str, *, quiet: bool = False) -> None:
    """One line, whatever the names in it are made of; nothing if `quiet`."""
    if not quiet:
        print(f"regnety: {printable(one_line(text))}", file=sys.stderr, flush=True)
