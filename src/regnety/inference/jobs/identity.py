"""Which names mean the same image: a job knows what is done by this, whatever way a folder is spelled."""

import os
from collections.abc import Callable
from functools import lru_cache

FILE_ADDRESSES = ("file://", "local://")
FOLDERS = 1024
"""Whose real places are remembered: a listing names many files of one folder in a row."""


def identities(base: str = "") -> Callable[[str], str]:
    """A function from names to what they mean.

    Of a path it is the name in its folder, and the folder's real place: `photos/a.jpg`, `./photos//a.jpg` and
    `link-to-photos/a.jpg` are one image. A file that is itself a link is not what it leads to: both stand in a listing,
    and both have rows. Addresses of stores and of the web mean what they say, letter by letter.

    Args:
        base: the folder that relative paths are relative to; nothing for the working directory.
    """

    @lru_cache(FOLDERS)
    def real(folder: str) -> str:
        try:
            return os.path.normcase(os.path.realpath(os.path.join(base, folder)))
        except ValueError:  # no file can have this name
            return folder

    def identity(name: str) -> str:
        for scheme in FILE_ADDRESSES:
            name = name.removeprefix(scheme)
        if "://" in name:
            return name
        folder, last = os.path.split(name)
        if last in ("", os.curdir, os.pardir):  # a folder, whose error is a row
            return real(name)
        return os.path.join(real(folder), os.path.normcase(last))

    return identity
