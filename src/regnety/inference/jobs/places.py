"""Where the output of a job goes, and the folder beside it in which its parts stand until then."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from regnety.errors import JobError
from regnety.storage import locked, remove_leftovers, replacing

JOINED = "joined"


class Place(Protocol):
    """A file to be, and its job's folder. Files appear whole or not at all. What fails raises OSError or JobError."""

    name: str
    """The output, as it was given."""
    folder_name: str
    """The job's folder, as messages call it."""

    def locked(self) -> AbstractContextManager[None]:
        """Be the only job of this output.

        Raises:
            JobError: another one is at work.
        """

    def is_finished(self) -> bool:
        """Whether the output is there."""

    def names(self) -> list[str]:
        """Of the files in the job's folder."""

    def read(self, name: str) -> bytes:
        """A file of the job's folder."""

    def write(self, name: str, data: bytes) -> None:
        """A file into the job's folder."""

    def remove(self, name: str) -> None:
        """A file of the job's folder that may be missing."""

    def remove_folder(self) -> None:
        """The job's folder with whatever stands in it."""

    def output(self) -> AbstractContextManager[IO[bytes]]:
        """The output, to be written from its first byte to its last; it comes to its place when the block ends."""


def is_address(place: str | Path) -> bool:
    """Whether a place is an address of fsspec's, like s3://bucket/labels.csv, and no path."""
    return isinstance(place, str) and "://" in place


def place_of(output: str | Path) -> Place:
    """The place of an output.

    Raises:
        JobError: no file can be written there.
        MissingExtraError: an address needs fsspec.
    """
    if is_address(output):
        from regnety.inference.jobs.remote_place import RemotePlace

        return RemotePlace(str(output))
    return LocalPlace(output)


class LocalPlace:
    """A path."""

    def __init__(self, output: str | Path) -> None:
        self.name = str(output)
        self._output = Path(os.path.realpath(output))  # a link stays one
        if self._output.exists() and not self._output.is_file():
            raise JobError(f"{output}: is a folder, a device or a pipe, not a file that may be replaced")
        self._folder = self._output.with_name(f".{self._output.name}.job")
        self.folder_name = str(Path(output).with_name(self._folder.name))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The lock stands in the folder, and goes with it."""

        def refuse() -> None:
            raise JobError(f"{self.name}: another process is at work on it")

        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            error.filename = self.name
            raise
        with locked(self._folder / "job", on_wait=refuse):
            remove_leftovers(self._folder)
            yield

    def is_finished(self) -> bool:
        """Whether the output is there."""
        return self._output.exists()

    def names(self) -> list[str]:
        """Of the files in the folder."""
        return os.listdir(self._folder) if self._folder.is_dir() else []

    def read(self, name: str) -> bytes:
        """A file of the folder."""
        return (self._folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """A file into the folder, on the disk when this returns."""
        with replacing(self._folder / name) as beside:
            beside.write_bytes(data)

    def remove(self, name: str) -> None:
        """A file of the folder."""
        (self._folder / name).unlink(missing_ok=True)

    def remove_folder(self) -> None:
        """Windows keeps the lock, and with it the folder, until whoever holds it has ended; it counts as none then."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def output(self) -> Iterator[IO[bytes]]:
        """Written in the folder, which is on the same disk, and renamed once it is whole."""
        whole = self._folder / JOINED
        with replacing(whole) as beside, beside.open("wb") as file:
            yield file
        if self._output.is_dir():
            raise OSError(errno.EISDIR, "has become a folder", self.name)
        whole.replace(self._output)
