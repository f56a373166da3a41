"""Which files a model was trained on, as fingerprints in its bundle, so that `eval` can exclude them.

A fingerprint is the first 8 bytes of a file's SHA-256: a copy under another name has the same one, an image that was
saved again has another. Of more than `LIMIT` files those with the smallest fingerprints are kept. Hashes are uniform:
that is a fair sample, and for every file in its range it still tells whether the file was trained on.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.errors import ImageError, WeightsError
from regnety.files.file_names import TRAINING_FILES
from regnety.images.sources import StoredImage
from regnety.progress import Progress

LIMIT = 100_000
"""Fingerprints that are kept at most: 800 kB."""

Fingerprints = npt.NDArray[np.uint64]


class TrainingFiles:
    """The fingerprints of the files that a model was trained on.

    Args:
        source: fingerprints in any order, or the file with them, which is read when they are first needed.
    """

    def __init__(self, source: Fingerprints | Path) -> None:
        self._source = source

    @classmethod
    def of(cls, files: Sequence[str | Path | StoredImage], *, quiet: bool = False) -> "TrainingFiles":
        """Of some files, except those that cannot be read."""
        return cls(np.array([value for value in fingerprints(files, quiet=quiet) if value is not None], np.uint64))

    @cached_property
    def values(self) -> Fingerprints:
        """In ascending order, each once, the smallest `LIMIT` of them.

        Raises:
            WeightsError: the file is damaged.
        """
        if not isinstance(self._source, Path):
            return np.unique(self._source)[:LIMIT]
        data = self._source.read_bytes()  # ascending, each 8 bytes, the highest byte first
        values = np.frombuffer(data[: len(data) // 8 * 8], ">u8").astype(np.uint64)
        if len(data) % 8 or len(values) > LIMIT or (values[1:] <= values[:-1]).any():
            raise WeightsError(f"{self._source}: is damaged, so what the model was trained on is unknown")
        return values

    def __or__(self, other: "TrainingFiles | None") -> "TrainingFiles":
        """Those of both."""
        return self if other is None else TrainingFiles(np.concatenate([self.values, other.values]))

    @property
    def is_complete(self) -> bool:
        """Whether no fingerprint was dropped."""
        return len(self.values) < LIMIT

    def __len__(self) -> int:
        return len(self.values)

    def has(self, fingerprint: int | None) -> bool | None:
        """Whether a file was trained on; None where that is unknown, because not all fingerprints were kept.

        A file that cannot be read, which has the fingerprint None, was not trained on.
        """
        values = self.values
        if fingerprint is None or not len(values):
            return False
        # Beyond the largest that was kept, files that were trained on have no fingerprint here.
        if not self.is_complete and fingerprint > int(values[-1]):
            return None
        # as uint64: NumPy would compare a Python int with the array in float64, which has 53 bits
        place = int(np.searchsorted(values, np.uint64(fingerprint)))
        return place < len(values) and int(values[place]) == fingerprint

    def write(self, folder: Path) -> None:
        """Write them into a bundle's folder."""
        (folder / TRAINING_FILES).write_bytes(self.values.astype(">u8").tobytes())


def stored_training_files(folder: Path) -> TrainingFiles | None:
    """Those in a bundle's folder, if there are any."""
    path = folder / TRAINING_FILES
    return TrainingFiles(path) if path.is_file() else None


def fingerprints(files: Sequence[str | Path | StoredImage], *, quiet: bool = False) -> Iterable[int | None]:
    """The fingerprint of each file, in order, None for one that cannot be read. Reads with one thread per core."""
    from regnety.threads import in_threads  # no prediction needs it here

    # Threads suffice: reading and hashing release the interpreter's lock.
    with (
        Progress("fingerprints of images", total=len(files), quiet=quiet) as progress,
        closing(in_threads(fingerprint_of, files)) as values,
    ):
        for value in values:
            progress.advance()
            yield value


def fingerprint_of(image: str | Path | StoredImage) -> int | None:
    """Of one file; None if it cannot be read, or is a device or a pipe, which might never end."""
    import hashlib

    try:
        if isinstance(image, StoredImage):
            return int.from_bytes(hashlib.sha256(image.read()).digest()[:8], "big")
        if not stat.S_ISREG(os.stat(image).st_mode):
            return None
        with open(image, "rb") as file:
            return int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:8], "big")
    except (OSError, ImageError):
        return None
