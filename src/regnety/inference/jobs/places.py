"""Where the output of a job goes, and the folder beside it that holds its parts until then."""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from regnety.errors import JobError
from regnety.storage.locks import locked
from regnety.storage.replacing import remove_leftovers, replacing

JOINED = "joined"
LOCK = ".job.lock"  # the name that `storage.locked` gives it
LOCK_TRIES = 20  # another process that ends may remove its folder, and our lock in it, between two steps of ours


class Place(Protocol):
    """An output and its job's folder. Files appear whole or not at all. Failures are an OSError or a JobError."""

    name: str
    """The output, as it was given."""
    folder_name: str
    """The job's folder, for messages."""
    is_locked: bool
    """Whether `locked` is entered."""
    replaces: bool
    """Whether the output exists and will be replaced; set by `claimed`."""

    def locked(self) -> AbstractContextManager[None]:
        """Be the only job of this output.

        Raises:
            JobError: another process is writing it.
        """

    def is_finished(self) -> bool:
        """Whether the output is there."""

    def base(self) -> str | None:
        """The working directory, so that a job which is moved with its images finds them again; None for any."""

    def folder(self, base: str | None) -> str:
        """The folder that `base` described; empty for the working directory."""

    def names(self) -> list[str]:
        """Of the files in the job's folder."""

    def read(self, name: str) -> bytes:
        """A file of the job's folder."""

    def write(self, name: str, data: bytes) -> None:
        """A file into the job's folder."""

    def remove(self, name: str) -> None:
        """Remove a file of the job's folder, if it is there."""

    def remove_folder(self) -> None:
        """Remove the job's folder with its files: the last step within `locked`."""

    def finished(self) -> AbstractContextManager[IO[bytes]]:
        """The existing output, to be read."""

    def output(self) -> AbstractContextManager[IO[bytes]]:
        """The output, to be written from first byte to last; it appears in its place when the block ends."""


def is_address(place: str | Path) -> bool:
    """Whether it is an address for fsspec, like s3://bucket/labels.csv, and not a path."""
    # text alone: a Path has already made one slash of the two
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
    """A path on this disk.

    Args:
        output: a file, or a folder that is written as a whole.
        is_folder: which of the two; the folders above it are created.
    """

    def __init__(self, output: str | Path, *, is_folder: bool = False) -> None:
        self.name = str(output)
        self.is_locked = self.replaces = False
        self._is_removed = False
        self._is_folder = is_folder
        self._output = Path(os.path.realpath(output))  # what a link leads to is replaced, and the link stays
        if not is_folder and self._output.exists() and not self._output.is_file():
            raise JobError(f"{output}: is a folder, a device or a pipe, not a file that may be replaced")
        if not is_folder and not self._output.parent.is_dir():
            raise JobError(f"{output}: there is no folder {Path(output).parent}")
        # beside the output, as a rename needs the same disk; the dot hides it from `ls`
        self._folder = self._output.with_name(f".{self._output.name}.job")
        self.folder_name = str(Path(output).with_name(self._folder.name))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The lock is a file in the folder, and is removed with it."""
        # folders that are created only for the lock; they go again if nothing is written
        parents = [folder for folder in self._folder.parents if not folder.exists()] if self._is_folder else []
        with ExitStack() as stack:
            for _ in range(LOCK_TRIES):
                if self._is_in(stack):
                    break
            else:
                self._refuse()
            self.is_locked, self._is_removed = True, False
            try:
                remove_leftovers(self._folder)  # nobody else can be writing in it now
                yield
            finally:
                self.is_locked = False
                for folder in parents:
                    with suppress(OSError):  # it is not empty: something was written there, and stays
                        folder.rmdir()

    def _is_in(self, stack: ExitStack) -> bool:
        """Take the lock; False if the process that had it before has just removed the folder."""
        try:
            self._folder.mkdir(parents=self._is_folder, exist_ok=True)
            stack.enter_context(locked(self._folder / "job", on_wait=self._refuse))
        except (FileExistsError, FileNotFoundError) as error:
            if self._folder.is_file() or not self._folder.parent.is_dir():
                # the user knows the output, and not our folder
                error.filename = str(Path(self.name))
                raise
            return False
        except OSError as error:
            error.filename = str(Path(self.name))
            raise
        if self._folder.exists():  # else the lock is on a file that no other process can find any more
            return True
        stack.close()
        return False

    def _refuse(self) -> None:
        raise JobError(f"{self.name}: another process is writing it")

    def is_finished(self) -> bool:
        """Whether the output is there; a folder without anything in it is none."""
        if self._is_folder and self._output.is_dir():
            return any(self._output.iterdir())
        return self._output.exists()

    def base(self) -> str | None:
        """Relative to the output's folder."""
        try:
            here = os.path.realpath(os.curdir)
        except FileNotFoundError:  # it was removed: no relative name means anything
            return None
        try:
            return os.path.relpath(here, self._output.parent)
        except ValueError:  # on Windows there is no relative path to another disk
            return here

    def folder(self, base: str | None) -> str:
        """Relative to where the output is now."""
        return "" if base is None else os.path.join(self._output.parent, base)

    def names(self) -> list[str]:
        """Of the files in the folder."""
        return os.listdir(self._folder) if self._folder.is_dir() and not self._is_removed else []

    def read(self, name: str) -> bytes:
        """A file of the folder."""
        return (self._folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """A file into the folder, flushed to the disk when this returns."""
        with replacing(self._folder / name) as beside:
            beside.write_bytes(data)

    def remove(self, name: str) -> None:
        """A file of the folder."""
        if not self._is_removed:
            (self._folder / name).unlink(missing_ok=True)

    def remove_folder(self) -> None:
        """Once, and the lock last: after that the folder may be another process's."""
        if self._is_removed:
            return
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.name != LOCK:
                    path.unlink()
        self._is_removed = True
        with suppress(OSError):  # Windows keeps a file that is locked, and its folder; an empty one counts as none
            (self._folder / LOCK).unlink()
            self._folder.rmdir()

    @contextmanager
    def finished(self) -> Iterator[IO[bytes]]:
        """The file."""
        with self._output.open("rb") as file:
            yield file

    @contextmanager
    def output(self) -> Iterator[IO[bytes]]:
        """Written in the job's folder and renamed once it is whole."""
        # a rename replaces a file in one step only on the same disk, so the temporary folder of the system will not do
        whole = self._folder / JOINED
        with replacing(whole) as beside, beside.open("wb") as file:
            yield file
        # the rename would fail too, with another error on each system
        if self._output.is_dir():
            raise OSError(errno.EISDIR, "is a folder now", self.name)
        # `replacing` has flushed it to the disk: after a power cut a name never stands for an empty file
        whole.replace(self._output)
