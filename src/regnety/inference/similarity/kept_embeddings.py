"""Embeddings on the disk by the content of their images: files that appear whole, are never changed, and grow old.

Each process writes files of its own, so none waits for another, and a kill loses what was not written yet. What one
removes while another reads is computed again.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.storage.cache import cache_folder, say_not_kept
from regnety.storage.replacing import replacing
from regnety.version import __version__

DIGEST_BYTES = 32  # SHA-256
MOST_BYTES = 1 << 30
"""Of all files together: a million embeddings of 256 values. The oldest go first."""
MOST_FILES = 16
"""Of one model's settings; above it they are joined into one."""
LEFTOVER_S = 86400.0
"""Age from which a part of a file is one that a killed process left."""

FloatArray = npt.NDArray[np.float32]


class KeptEmbeddings:
    """The embeddings of one model, shown images in one way.

    Args:
        settings: what decides the values besides the image, as plain JSON values.
        num_features: values of an embedding.
    """

    def __init__(self, settings: Mapping[str, Any], num_features: int) -> None:
        # A new release may decode or resize in another way.
        facts = json.dumps([__version__, dict(settings)], sort_keys=True)
        self._folder = cache_folder("embeddings") / hashlib.sha256(facts.encode()).hexdigest()[:32]
        self._dtype = np.dtype([("digest", f"V{DIGEST_BYTES}"), ("values", "<f4", (num_features,))])
        self._files = {path: rows for path in self._paths() if (rows := self._read(path)) is not None}
        self._found = {
            digest: (path, row) for path, rows in self._files.items() for row, digest in enumerate(_digests(rows))
        }
        self._used: set[Path] = set()

    def get(self, digest: bytes) -> FloatArray | None:
        """The embedding [num_features] of the image with that SHA-256; None if there is none."""
        if digest not in self._found:
            return None
        path, row = self._found[digest]
        values: FloatArray = self._files[path]["values"][row]
        if not np.isfinite(values).all():  # a damaged file
            return None
        self._used.add(path)
        return values

    def add(self, embeddings: Mapping[bytes, FloatArray]) -> None:
        """Keep embeddings by the SHA-256 of their images. If they cannot be kept, that is said once, and no error."""
        rows = np.empty(len(embeddings), self._dtype)
        for number, (digest, values) in enumerate(embeddings.items()):
            rows[number] = (digest, values)
        if len(rows):
            self._write(rows)

    def close(self) -> None:
        """Join files where there are many, and remove the oldest of all models where they take too much room."""
        for path in self._used:
            with suppress(OSError):  # a read-only cache: age is then what it was
                os.utime(path)
        if len(paths := self._paths()) > MOST_FILES:
            self._join(paths)
        _remove_oldest(self._folder.parent)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[!.]*.npy"))

    def _read(self, path: Path) -> npt.NDArray[Any] | None:
        """The rows of a file, mapped; None if another process has removed it, or it is none of ours."""
        with suppress(OSError, ValueError, EOFError):
            rows: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            if rows.dtype == self._dtype and rows.ndim == 1:
                return rows
        return None

    def _write(self, rows: npt.NDArray[Any]) -> bool:
        path = self._folder / f"{os.urandom(16).hex()}.npy"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as beside, open(beside, "wb") as file:
                np.save(file, rows)
        except OSError as error:
            say_not_kept(path, error)
            return False
        return True

    def _join(self, paths: list[Path]) -> None:
        read = {path: rows for path in paths if (rows := self._read(path)) is not None}
        joined = np.concatenate(list(read.values()))
        first = {digest: row for row, digest in reversed(list(enumerate(_digests(joined))))}
        if self._write(joined[sorted(first.values())]):
            for path in paths:
                with suppress(OSError):
                    path.unlink()


def _digests(rows: npt.NDArray[Any]) -> list[bytes]:
    digests: list[bytes] = np.ascontiguousarray(rows["digest"]).tolist()
    return digests


def _remove_oldest(folder: Path) -> None:
    """Remove parts that killed processes left, and the files that were not used for longest until the rest is small."""
    files: list[tuple[float, int, Path]] = []
    for path in folder.glob("*/*"):
        with suppress(OSError):  # another process may have removed it meanwhile
            facts = path.stat()
            if path.name.startswith("."):
                if time.time() - facts.st_mtime > LEFTOVER_S:
                    path.unlink()
                continue
            files.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= MOST_BYTES:
            break
        with suppress(OSError):
            path.unlink()
            total -= size
