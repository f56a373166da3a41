"""Which names mean the same image, however its folder is spelled: by this a job knows what is done."""

import os
from collections.abc import Callable
from functools import lru_cache

FILE_ADDRESSES = ("file://", "local://")  # fsspec has two for this disk
FOLDERS = 1024  # whose real paths are remembered: a listing names many files of one folder in a row


def identities(base: str = "") -> Callable[[str], str]:
    """A function from names to the images that they mean.

    A path means the name in its folder and the folder's real path: `photos/a.jpg`, `./photos//a.jpg` and
    `link-to-photos/a.jpg` are one image. A file that is itself a link is not its target: both are in a listing, and
    both have rows. Addresses of stores and of the web are compared letter by letter.

    Args:
        base: the folder that relative paths are relative to; empty for the working directory.
    """

    @lru_cache(FOLDERS)
    def real(folder: str) -> str:
        try:
            return os.path.normcase(os.path.realpath(os.path.join(base, folder)))
        except ValueError:  # NUL in it: no file can have this name
            return folder

    def identity(name: str) -> str:
        for scheme in FILE_ADDRESSES:
            name = name.removeprefix(scheme)
        if "://" in name:
            return name
        folder, last = os.path.split(name)
        if last in ("", os.curdir, os.pardir):  # a folder: it has a row if it cannot be listed
            return real(name)
        # The last part is not resolved: a link and its target are both in a listing, and both have rows.
        # normcase: on Windows capitals and slashes of either kind mean the same file.
        return os.path.join(real(folder), os.path.normcase(last))

    return identity
