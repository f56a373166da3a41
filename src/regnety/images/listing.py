"""The images that places name: files and addresses as they are, folders by what stands in them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from regnety.images.formats import SUFFIXES
from regnety.images.sources import ImageSource, Unreadable, without_images
from regnety.remote import is_remote


def list_images(places: Iterable[str | Path], *, recursive: bool = False) -> Iterator[ImageSource]:
    """Every image of some places, in their order; a folder's files are sorted by name, and follow a link once.

    A file that is named is taken whatever it is called. A folder gives its files with the suffix of an image, in any
    case, without those whose name begins with a dot; one that gives none, or cannot be read, gives its error.
    Addresses of a store (s3://bucket/photos) are files and folders alike (`images.remote_listing`).

    Args:
        places: files, folders and addresses.
        recursive: look into a folder's sub-folders too, each after the files beside it.

    Raises:
        MissingExtraError: an address is one of a store, and fsspec is not installed.
    """
    for place in places:
        if isinstance(place, str) and is_remote(place):
            from regnety.images.remote_listing import list_remote

            yield from list_remote(place, recursive=recursive)
        elif os.path.isdir(place):
            yield from _of_folder(os.fspath(place), recursive)
        else:
            yield place


def _of_folder(top: str, recursive: bool) -> Iterator[ImageSource]:
    found = False
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        files, folders, error = _entries(folder)
        if error is not None:
            found = True
            yield Unreadable(folder, f"cannot be read: {error.strerror}")
        found = found or bool(files)
        yield from files
        if recursive:
            waiting += reversed(folders)  # the last is taken first
    if not found:
        yield without_images(top, recursive)


def _entries(folder: str) -> tuple[list[str], list[str], OSError | None]:
    """Paths of a folder's images and of its own sub-folders (links would lead in circles), both sorted."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES) and not os.path.isdir(entry.path):
                    files.append(entry.path)  # a link that leads nowhere too: reading it says so
    except OSError as error:
        return sorted(files), sorted(folders), error
    return sorted(files), sorted(folders), None
