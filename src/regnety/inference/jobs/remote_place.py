"""An output at an address: an object store, or anything else that fsspec reaches."""

import hashlib
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from regnety.errors import JobError, RegNetYError
from regnety.remote import file_system, what_went_wrong
from regnety.storage.locks import locked


class RemotePlace:
    """An address. A store creates an object as a whole, so nothing is renamed.

    Args:
        output: like s3://bucket/labels.csv.

    Raises:
        MissingExtraError: fsspec, or for s3:// s3fs, is not installed.
        JobError: there is no such kind of address, or it is a folder's.
    """

    def __init__(self, output: str) -> None:
        self.name = output
        self.is_locked = self.replaces = False
        with self._reported():
            self._files = file_system(output)
            # the underscore is fsspec's own: there is no public name for it
            self._output = self._files._strip_protocol(output)
        parent, name = posixpath.split(self._output)
        if not name or output.endswith("/"):
            raise JobError(f"{output}: is a folder; name a file in it")
        self._folder = f"{parent}/.{name}.job"
        self.folder_name = output.removesuffix(name) + f".{name}.job"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A store has no locks: this keeps apart the jobs of one user on one machine, and no others."""
        # the home folder tells users apart: in the folder for temporary files nobody may open another's lock
        digest = hashlib.sha256(f"{Path.home()}\n{self.name}".encode("utf-8", "surrogateescape")).hexdigest()[:32]

        def refuse() -> None:
            raise JobError(f"{self.name}: another process is writing it")

        with locked(Path(tempfile.gettempdir()) / f"regnety-job-{digest}", on_wait=refuse):
            self.is_locked = True
            try:
                yield
            finally:
                self.is_locked = False

    def is_finished(self) -> bool:
        """Whether the output is there."""
        with self._reported():
            self._files.invalidate_cache()  # fsspec remembers listings, and another machine may have written since
            return bool(self._files.exists(self._output))

    def base(self) -> None:
        """None: the job may be resumed on another machine, where the working directory has another name."""

    def folder(self, base: str | None) -> str:
        """Always the working directory."""
        return base or ""

    def names(self) -> list[str]:
        """Of the objects in the folder."""
        with self._reported():
            self._files.invalidate_cache()
            try:
                return [posixpath.basename(path) for path in self._files.ls(self._folder, detail=False)]
            except FileNotFoundError:
                return []

    def read(self, name: str) -> bytes:
        """An object of the folder."""
        with self._reported():
            data: bytes = self._files.cat_file(f"{self._folder}/{name}")
            return data

    def write(self, name: str, data: bytes) -> None:
        """An object into the folder."""
        with self._reported():
            try:
                self._files.pipe_file(f"{self._folder}/{name}", data)
            except FileNotFoundError:  # a file system needs the folder, a store does not; a bucket is never created
                self._files.mkdir(self._folder, create_parents=False)
                self._files.pipe_file(f"{self._folder}/{name}", data)

    def remove(self, name: str) -> None:
        """An object of the folder."""
        with self._reported():
            try:
                self._files.rm_file(f"{self._folder}/{name}")
            except FileNotFoundError:
                return

    def remove_folder(self) -> None:
        """The folder with its objects."""
        with self._reported():
            self._files.invalidate_cache()
            if self._files.exists(self._folder):  # rm would fail without it
                self._files.rm(self._folder, recursive=True)

    @contextmanager
    def finished(self) -> Iterator[IO[bytes]]:
        """Read in pieces, as needed."""
        with self._reported(), self._files.open(self._output, "rb") as file:
            yield file

    @contextmanager
    def output(self) -> Iterator[IO[bytes]]:
        """Uploaded in pieces; the object appears once all are there, and not at all after an error."""
        # without the transaction fsspec would create the object from what was written before an error
        with self._reported(), self._files.transaction, self._files.open(self._output, "wb") as file:
            yield file

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Every store has its own exceptions; a user gets one line about the output."""
        try:
            yield
        except RegNetYError:
            raise
        except Exception as error:
            raise JobError(f"{self.name}: {what_went_wrong(error, self.name)}") from error
