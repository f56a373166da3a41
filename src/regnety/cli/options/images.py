"""The images that a command line names."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.errors import ImageError

if TYPE_CHECKING:
    from regnety.images.path_lists import PathList
    from regnety.images.sources import ImageSource


STANDARD_INPUT = "-"
from_option = click.option(
    "--from",
    "lists",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="Read paths from a file, one per line or with NUL bytes between them; - is standard input.",
)


class ImageList:
    """Images in order, which can be iterated more than once. Lists are read anew each time, as they may be long.

    Args:
        named: images that are known already.
        lists: files, folders and addresses.
        recursive: whether folders in the lists are searched with their sub-folders.
    """

    def __init__(self, named: "Sequence[ImageSource]", lists: "Sequence[PathList]", *, recursive: bool) -> None:
        self._named = named
        self._lists = lists
        self._recursive = recursive
        self._count = len(named) + sum(self._count_at(path) for paths in lists for path in paths)

    def __iter__(self) -> "Iterator[ImageSource]":
        from regnety.images.listing import list_images

        yield from self._named
        for paths in self._lists:
            yield from list_images(paths, recursive=self._recursive)

    def __len__(self) -> int:
        """How many there are; an address in a list counts as one."""
        return self._count

    def _count_at(self, path: str) -> int:
        from regnety.images.formats import SUFFIXES
        from regnety.images.listing import list_images

        if path.lower().endswith(SUFFIXES) or "://" in path:  # neither disk nor store is asked, for a million paths
            return 1
        return sum(1 for _ in list_images([path], recursive=self._recursive))


def named_images(
    places: "Sequence[str]", lists: "Sequence[str]" = (), *, recursive: bool, stdin: bool = False
) -> ImageList:
    """The images of a command line: files, addresses and the content of folders.

    Args:
        places: the arguments.
        lists: files with more of them, one per line; - reads paths from standard input.
        recursive: search sub-folders too.
        stdin: whether - among the places means an image on standard input, which is read here.

    Raises:
        ImageError: none of them names an image, or standard input cannot be read.
        DataError: a list cannot be read.
    """
    from regnety.images.listing import list_images
    from regnety.images.sources import NamedImage, Unreadable

    if not places and not lists:
        raise click.UsageError("name images, folders, or a list with --from")
    if lists.count(STANDARD_INPUT) + (stdin and places.count(STANDARD_INPUT)) > 1:
        raise ImageError("standard input (-) can be read only once")
    # Held, some hundred bytes a name: the images are counted for the progress, and a folder or store that was listed
    # twice could have changed between. Lists of --from are read again from the disk instead.
    sources: list[ImageSource] = []
    for place in places:
        if stdin and place == STANDARD_INPUT:
            if sys.stdin is None:
                raise ImageError("standard input (-) is closed")
            sources.append(NamedImage(STANDARD_INPUT, sys.stdin.buffer.read()))
        else:
            sources += list_images([place], recursive=recursive)
    images = ImageList(sources, _path_lists(lists), recursive=recursive)
    # one unreadable file among others is a row; if nothing can be read, the command has nothing to do
    if all(isinstance(source, Unreadable) for source in images):
        first = next(iter(images))
        assert isinstance(first, Unreadable)
        raise ImageError(f"{first.name}: {first.reason}")
    return images


def _path_lists(lists: "Sequence[str]") -> "list[PathList]":
    if not lists:
        return []
    from regnety.images.path_lists import PathList

    return [PathList(place) for place in lists]


def refuse_as_output(output: str | Path, places: Iterable[str]) -> None:
    """Refuse an output that is one of the arguments, or an image at all: a mistyped line must cost no photograph.

    Raises:
        ImageError: it is one.
    """
    if not os.path.isfile(output):
        return
    # samefile: ./a.jpg and a link to a.jpg are the same photograph
    if any(os.path.exists(place) and os.path.samefile(output, place) for place in places):
        raise ImageError(f"{output}: is one of the images; name another file for the answers")
    from regnety.images.formats import BMP, HEAD_SIZE, format_of

    with open(output, "rb") as file:
        image = format_of(file.read(HEAD_SIZE))
    if image is not None and image is not BMP:  # BMP is known by two letters, which may begin a text
        raise ImageError(f"{output}: is an image; name another file for the answers")


def silence_decoders() -> None:
    """Hide Pillow's warnings of oddities in files: an answer is asked for, and errors are reported anyway."""
    import warnings

    warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
