"""The finished output of a job: whether it is what this job would write, and which images it has."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from regnety.errors import JobError
from regnety.inference.jobs.done_names import DoneNames, name_hash
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.row_files import RowFile, spelled

START_OVER = "omit --resume (resume=True) to start over"


class FinishedRows:
    """The images of a finished output.

    Args:
        file: the format in which it should be.
        stream: the output. Relative names in it are relative to the working directory.
        output: its name, for messages.
        settings: those of the job. Parquet says which it was written with; of CSV and JSON lines only the columns are
            compared.

    Raises:
        JobError: it is damaged, another program's, or was written with other settings.
    """

    def __init__(self, file: RowFile[Any], stream: IO[bytes], output: str, settings: Mapping[str, Any]) -> None:
        self.unreadable = 0
        identity, hashes = identities(), array("Q")
        try:
            stored = file.facts(stream)
            # what only one of them knows is not compared: another release may have more settings, and CSV has none
            for name in stored.keys() & settings.keys():
                if stored[name] != settings[name]:
                    raise ValueError(f"it was written with another {name}")
            stream.seek(0)  # Parquet's metadata is at the end of the file
            for name, failed in file.images(stream):
                hashes.append(name_hash(spelled(identity(name))))  # CSV and Parquet have names only as they spell them
                self.unreadable += failed
        except (ValueError, RecursionError) as error:
            raise JobError(f"{output}: is finished, but is not what this job writes: {error}; {START_OVER}") from error
        self.images = len(hashes)
        self._names = DoneNames(hashes)

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Those of some images that have no rows."""
        identity = identities()
        return (name for name in names if spelled(identity(name)) not in self._names)
