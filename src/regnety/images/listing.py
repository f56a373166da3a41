"""The images that places name: files and addresses as they are, folders by what is in them.

Links to files and folders are followed, and each real folder is searched once: where it can be reached in several ways,
its own place below the named folder comes before any link to it, and of several links the first by name. What is found,
and under which name, does not depend on the order in which the disk lists it.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from regnety.images.formats import SUFFIXES, is_passed_over
from regnety.images.sources import ImageSource, Unreadable, without_images
from regnety.remote import is_remote
from regnety.text import reason_of

BROKEN_LINK = "is a broken link; mend it or remove it"
"""The error of a link that may have led to a folder."""

FolderId: TypeAlias = tuple[int, int] | str
"""Device and inode, or a real path."""


def list_images(places: Iterable[str | Path], *, recursive: bool = False) -> Iterator[ImageSource]:
    """Every image of some places, in their order; a folder's files are sorted by name.

    A file is taken whatever its name. A folder gives its files with the suffix of an image, in any case, without those
    that `is_passed_over`; if there are none, or it cannot be read, it gives its error. Addresses of a store
    (s3://bucket/photos) are listed by `images.remote_listing`.

    Args:
        places: files, folders and addresses.
        recursive: search sub-folders too, each after the files beside it, and linked ones as well.

    Raises:
        MissingExtraError: an address is in a store, and fsspec is not installed.
    """
    for place in places:
        if isinstance(place, str) and is_remote(place):
            from regnety.images.remote_listing import list_remote

            yield from list_remote(place, recursive=recursive)
        elif os.path.isdir(place):
            found = False
            for source in images_in(os.fspath(place), recursive=recursive):
                found = True
                yield source
            if not found:
                yield without_images(os.fspath(place), recursive)
        else:
            yield place


def images_in(top: str, *, recursive: bool, visited: dict[FolderId, str] | None = None) -> Iterator[str | Unreadable]:
    """Paths of the images in a folder, sorted, each folder's files before its sub-folders; errors in their place.

    Args:
        top: the folder.
        recursive: search its sub-folders too.
        visited: filled with the folders that were searched; those in it already are left out.
    """
    visited = {} if visited is None else visited
    real_top = os.path.realpath(top)
    trees = [real_top]  # real folders of which everything below is searched
    waiting = [(top, real_top)]  # a stack and not recursion: folders may be nested deeper than Python's calls
    while waiting:
        folder, real = waiting.pop()
        if recursive:
            identity = folder_id(folder)
            if identity in visited:
                continue
            visited[identity] = folder
        found = _entries(folder)
        if found.error is not None:
            yield Unreadable(folder, f"cannot be read: {reason_of(found.error)}")
        yield from sorted(found.files)
        if not recursive:
            return
        for path in sorted(found.broken):
            yield Unreadable(path, BROKEN_LINK)
        inner = [(path, os.path.join(real, os.path.basename(path))) for path in found.folders]
        for path in sorted(found.links):
            target = os.path.realpath(path)
            # A link upwards would be a circle; one into a tree that is searched anyway would only rename its images.
            if not is_within(real, target) and not any(_is_met(target, tree) for tree in trees):
                trees.append(target)
                inner.append((path, target))
        waiting += sorted(inner, reverse=True)  # `pop` takes the last one first


def folder_id(folder: str) -> FolderId:
    """What identifies a folder, however it is reached."""
    try:
        status = os.stat(folder)
    except OSError:  # listing it fails next, and says why
        return folder
    # Some file systems (FAT, some network shares) have no inodes and report 0.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def is_within(path: str, folder: str) -> bool:
    """Whether a real path is a folder or stands below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link in a circle is none."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def is_broken_folder_link(entry: os.DirEntry[str]) -> bool:
    """Whether it leads nowhere and may have led to a folder, as its name has no suffix."""
    return entry.is_symlink() and not os.path.splitext(entry.name)[1] and not os.path.exists(entry.path)


@dataclass(slots=True)
class _Entries:
    """What stands in a folder, by path."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """To folders."""
    broken: list[str] = field(default_factory=list)
    error: OSError | None = None


def _entries(folder: str) -> _Entries:
    found = _Entries()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_passed_over(entry.name):
                    continue
                if leads_to_folder(entry):
                    (found.links if entry.is_symlink() else found.folders).append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES):
                    found.files.append(entry.path)  # broken links too: reading one gives its error
                elif is_broken_folder_link(entry):
                    found.broken.append(entry.path)
    except OSError as error:
        found.error = error
    return found


def _is_met(target: str, tree: str) -> bool:
    """Whether searching a tree comes to a real folder at its own place, not below a folder that is passed over."""
    return is_within(target, tree) and not any(map(is_passed_over, target[len(tree) :].split(os.sep)))
