"""The images that a command line names."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.errors import ImageError

if TYPE_CHECKING:
    from regnety.images.sources import ImageSource


STANDARD_INPUT = "-"


def named_images(places: Iterable[str], *, recursive: bool, stdin: bool = False) -> "list[ImageSource]":
    """Files, addresses, and what stands in folders; where `stdin` is, - is standard input, which is read here, once.

    Raises:
        ImageError: none of them names an image, or standard input cannot be read.
    """
    from regnety.images.listing import list_images
    from regnety.images.sources import NamedImage, Unreadable

    sources: list[ImageSource] = []
    for place in places:
        if stdin and place == STANDARD_INPUT:
            if any(isinstance(source, NamedImage) for source in sources):
                raise ImageError("standard input (-) can be read once only")
            if sys.stdin is None:
                raise ImageError("standard input (-) is closed")
            sources.append(NamedImage(STANDARD_INPUT, sys.stdin.buffer.read()))
        else:
            sources += list_images([place], recursive=recursive)
    if all(isinstance(source, Unreadable) for source in sources):
        first = sources[0]
        assert isinstance(first, Unreadable)
        raise ImageError(f"{first.name}: {first.reason}")
    return sources


def refuse_as_output(output: str | Path, sources: "Iterable[ImageSource]") -> None:
    """See that the output is none of the images.

    Raises:
        ImageError: it is one of them.
    """
    if not os.path.exists(output):
        return
    for source in sources:
        if isinstance(source, str) and os.path.exists(source) and os.path.samefile(output, source):
            raise ImageError(f"{output}: is one of the images; name another file for the answers")


def silence_decoders() -> None:
    """Pillow warns of what is odd in a file; whoever wants an answer from the file did not ask for that."""
    import warnings

    warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
