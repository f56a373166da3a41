"""What stands in the finished output of a job: whether it is the one that is asked for, and which images it has."""

from array import array
from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from regnety.errors import JobError
from regnety.inference.jobs.done_names import name_hash
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.row_files import RowFile, spelled


class FinishedRows:
    """The images of a finished output, eight bytes each.

    Args:
        hashes: of what tells each from the others.
        unreadable: how many of them have an error.
    """

    def __init__(self, hashes: npt.NDArray[np.uint64], unreadable: int) -> None:
        self.images = len(hashes)
        self.unreadable = unreadable
        self._hashes = np.sort(hashes)

    def missing(self, names: Iterable[str]) -> tuple[int, str | None]:
        """How many of some images have no rows, and the first of them."""
        identity, count, first = identities(), 0, None
        for name in names:
            wanted = np.uint64(name_hash(spelled(identity(name))))
            place = int(np.searchsorted(self._hashes, wanted))
            if place == len(self._hashes) or self._hashes[place] != wanted:
                count += 1
                first = name if first is None else first
        return count, first


def list_finished(file: RowFile[Any], stream: IO[bytes], output: str, settings: Mapping[str, Any]) -> FinishedRows:
    """Read the names in a finished output; relative ones are relative to the working directory.

    Args:
        file: the format in which it should be.
        stream: the output.
        output: its name, for messages.
        settings: those that are asked for. Parquet says which it was made with; of the others the
            columns count.

    Raises:
        JobError: it is damaged, another program's, or was made with other settings.
    """
    identity, unreadable = identities(), 0
    hashes = array("Q")
    try:
        stored = file.facts(stream)
        for name in stored.keys() & settings.keys():
            if stored[name] != settings[name]:
                raise ValueError(f"it was made with another {name}")
        stream.seek(0)
        for name, failed in file.images(stream):
            hashes.append(name_hash(spelled(identity(name))))
            unreadable += failed
    except (ValueError, RecursionError) as error:
        raise JobError(
            f"{output}: is finished, and it is not what is asked for: {error}; leave --resume away to make it anew"
        ) from error
    return FinishedRows(np.array(hashes, np.uint64), unreadable)
