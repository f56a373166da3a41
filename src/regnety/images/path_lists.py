"""Lists of paths in a file or from a pipe: for more images than a command line holds."""

import codecs
import os
import stat
import sys
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO

from regnety.errors import DataError
from regnety.files.opening import open_file
from regnety.images.formats import BMP, HEAD_SIZE, format_of
from regnety.text import reason_of

STANDARD_INPUT = "-"
CHUNK = 1 << 16
LONGEST = 1 << 16
"""Bytes of a path or address at most: Linux's paths end at 4 KiB, and a file without line ends is no list."""
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""What a list begins with that Windows PowerShell's `>` wrote."""


class PathList:
    """The paths in a file, in their order. Iterating reads them from the file, each time again.

    One path per line; if there is a NUL in the file, NULs separate the paths, as `find -print0` writes them. Empty
    lines are skipped. A path need not be text: bytes that are not UTF-8 are kept as the system keeps them.

    Args:
        place: the file, which may be a pipe; `-` is standard input. What cannot be read twice is copied to the disk.

    Raises:
        DataError: it cannot be read, or is not a list of paths.
    """

    def __init__(self, place: str) -> None:
        self.name = "standard input" if place == STANDARD_INPUT else place
        try:
            self._file = self._kept(self._opened(place))
            head = self._file.read(CHUNK)
            if head.startswith(WIDE_MARKS):
                self._file = self._kept(_as_utf8(self._file))
                head = self._file.read(CHUNK)
        except IsADirectoryError:
            raise DataError(f"{self.name}: is a folder, not a list of paths; name it as an image is named") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{self.name}: begins like UTF-16 and is none: {error.reason}") from None
        except (OSError, ValueError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else reason_of(error)
            raise DataError(f"{self.name}: cannot be read as a list of paths: {reason}") from None
        image = format_of(head[:HEAD_SIZE])
        if image is not None and image is not BMP:  # "BM" may well begin a file name
            raise DataError(f"{self.name}: is an image, not a list of paths; name it as an image is named")
        self._separator = b"\0" if b"\0" in head else b"\n"
        if next(iter(self), None) is None:
            raise DataError(f"{self.name}: there is no path in this list")

    def _opened(self, place: str) -> IO[bytes]:
        if place == STANDARD_INPUT:
            if sys.stdin is None:
                raise OSError("it is closed")
            return _copied(sys.stdin.buffer)
        if "://" in place:
            raise OSError("it must be a file on this disk, or - for standard input")
        file = open_file(place, pipes="any")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        with file:
            return _copied(file)

    def _kept(self, file: IO[bytes]) -> IO[bytes]:
        """As long as this list is."""
        weakref.finalize(self, file.close)
        return file

    def __iter__(self) -> Iterator[str]:
        first = True
        for record in self._records():
            path = record.removeprefix(codecs.BOM_UTF8) if first else record
            first = False
            if self._separator == b"\n":
                path = path.removesuffix(b"\r")
                path = path if path.strip() else b""
            if path:
                yield path.decode("utf-8", "surrogateescape") if os.name == "nt" else os.fsdecode(path)

    def _records(self) -> Iterator[bytes]:
        rest, position = b"", 0
        while True:
            self._file.seek(position)  # another iteration over the same list may have moved it
            chunk = self._file.read(CHUNK)
            if not chunk:
                break
            position += len(chunk)
            *records, rest = (rest + chunk).split(self._separator)
            yield from records
            if len(rest) > LONGEST:
                raise DataError(f"{self.name}: is no list of paths; it has a line of more than {LONGEST} bytes")
        if rest:
            yield rest


def _copied(file: IO[bytes]) -> IO[bytes]:
    return _written(iter(lambda: file.read(CHUNK), b""))


def _as_utf8(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    texts = codecs.iterdecode(iter(lambda: file.read(CHUNK), b""), "utf-16")
    return _written(text.encode("utf-8", "surrogatepass") for text in texts)


def _written(parts: Iterator[bytes]) -> IO[bytes]:
    """A temporary file without a name, back at its beginning."""
    copy = tempfile.TemporaryFile(prefix="regnety-")  # noqa: SIM115
    try:
        copy.writelines(parts)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy
