"""What a model was trained on, by the fingerprints of the files: kept in its bundle, so that `eval` can leave them out.

A fingerprint is the first 8 bytes of a file's SHA-256. Content decides: a copy under another name has the same one, a
picture that was saved anew has another. Of very many files those with the smallest fingerprints are kept, which is a
fair sample of all of them: whether a file was trained on can still be told of those in the range of the sample.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.errors import WeightsError
from regnety.files.file_names import TRAINING_FILES
from regnety.progress import Progress

LIMIT = 100_000
"""Fingerprints that are kept, at most."""

Fingerprints = npt.NDArray[np.uint64]


class TrainingFiles:
    """The fingerprints of the files that a model was trained on.

    Args:
        source: fingerprints in any order, or the file that holds them, which is read when they are first asked for.
    """

    def __init__(self, source: Fingerprints | Path) -> None:
        self._source = source

    @classmethod
    def of(cls, files: Sequence[str | Path], *, quiet: bool = False) -> "TrainingFiles":
        """Of some files; what cannot be read is left out."""
        return cls(np.array([value for value in fingerprints(files, quiet=quiet) if value is not None], np.uint64))

    @cached_property
    def values(self) -> Fingerprints:
        """In ascending order, each once, the smallest `LIMIT` of them.

        Raises:
            WeightsError: the file is damaged.
        """
        if not isinstance(self._source, Path):
            return np.unique(self._source)[:LIMIT]
        data = self._source.read_bytes()
        values = np.frombuffer(data[: len(data) // 8 * 8], ">u8").astype(np.uint64)
        if len(data) % 8 or len(values) > LIMIT or (values[1:] <= values[:-1]).any():
            raise WeightsError(f"{self._source}: is damaged; without it nobody knows what the model was trained on")
        return values

    def __or__(self, other: "TrainingFiles | None") -> "TrainingFiles":
        """Those of both."""
        return self if other is None else TrainingFiles(np.concatenate([self.values, other.values]))

    @property
    def is_complete(self) -> bool:
        """Whether those of all files are here, as far as can be told."""
        return len(self.values) < LIMIT

    def __len__(self) -> int:
        return len(self.values)

    def has(self, fingerprint: int | None) -> bool | None:
        """Whether a file was trained on; None where that is not known, because not all fingerprints were kept.

        Args:
            fingerprint: None for a file that cannot be read, which was not trained on.
        """
        values = self.values
        if fingerprint is None or not len(values):
            return False
        if not self.is_complete and fingerprint > int(values[-1]):
            return None
        place = int(np.searchsorted(values, np.uint64(fingerprint)))
        return place < len(values) and int(values[place]) == fingerprint

    def write(self, folder: Path) -> None:
        """Put them into a bundle's folder."""
        (folder / TRAINING_FILES).write_bytes(self.values.astype(">u8").tobytes())


def stored_training_files(folder: Path) -> TrainingFiles | None:
    """Those of a bundle's folder, where it has any."""
    path = folder / TRAINING_FILES
    return TrainingFiles(path) if path.is_file() else None


def fingerprints(files: Sequence[str | Path], *, quiet: bool = False) -> Iterable[int | None]:
    """The fingerprint of each file, in order, None for what cannot be read; a thread for each core reads them."""
    from concurrent.futures import ThreadPoolExecutor  # no prediction needs it here

    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        Progress("fingerprints of photographs", total=len(files), quiet=quiet) as progress,
    ):
        for value in pool.map(fingerprint_of, files):
            progress.advance()
            yield value


def fingerprint_of(path: str | Path) -> int | None:
    """Of one file; None where it cannot be read, or is a device or a pipe."""
    import hashlib

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:8], "big")
    except OSError:
        return None
