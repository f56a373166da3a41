"""The images that a command line names."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.errors import ImageError

if TYPE_CHECKING:
    from regnety.images.sources import ImageSource


def named_images(places: Iterable[str], *, recursive: bool) -> "list[ImageSource]":
    """Files, addresses, and what stands in folders.

    Raises:
        ImageError: none of them names an image.
    """
    from regnety.images.listing import list_images
    from regnety.images.sources import Unreadable

    sources = list(list_images(places, recursive=recursive))
    if all(isinstance(source, Unreadable) for source in sources):
        first = sources[0]
        assert isinstance(first, Unreadable)
        raise ImageError(f"{first.name}: {first.reason}")
    return sources


def refuse_as_output(output: str | Path, places: Iterable[str]) -> None:
    """See that the output is none of the images that are named.

    Raises:
        ImageError: it is one of them.
    """
    if os.path.exists(output) and any(os.path.exists(place) and os.path.samefile(output, place) for place in places):
        raise ImageError(f"{output}: is one of the images; name another file")


def silence_decoders() -> None:
    """Pillow warns of what is odd in a file; whoever wants an answer from the file did not ask for that."""
    import warnings

    warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
