"""What a command says on stderr beside its results, in one form: a line that begins with the program's name."""

import sys
from typing import TYPE_CHECKING

from regnety.cli.terminal import printable

if TYPE_CHECKING:
    from regnety.bundle.bundle import Bundle


def say(text: str) -> None:
    """One line, whatever the names in it are made of."""
    print(f"regnety: {printable(' '.join(text.split()))}", file=sys.stderr)


def say_notice(bundle: "Bundle", *, quiet: bool = False) -> None:
    """What was assumed of a model whose files do not say everything."""
    if bundle.notice is not None and not quiet:
        say(bundle.notice)
