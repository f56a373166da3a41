"""Files identified by their content, whatever their places, names and times.

Times and inode numbers lie: `cp -p`, `tar` and image layers restore the time, a squashfs repeats the inode, a file
system over a store invents both. So the content decides. Small files are read whole at each start (4 ms for the 13 MB
of regnety_002). For large ones a checksum is kept in the cache, under all that the disk says of the file and a sample
of its bytes.
"""

import hashlib
import mmap
import os
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer, MappedFile, facts_of
from regnety.storage.cache import cache_folder, say_not_kept
from regnety.storage.replacing import replacing

SMALL = 16 << 20
"""Bytes up to which a file is read whole each time."""
PIECE = 1 << 20
"""Bytes that are read at a time; a multiple of the page."""
SAMPLES, SAMPLE_BYTES = 64, 4096
"""Pieces, evenly over the file, that are hashed: training changes every tensor everywhere. The checksum of all bytes
finds what they miss."""
OLD_ENOUGH_NS = 2 * 10**9
"""A file that was written to just now may be written to again within the same tick of its disk's clock (2 s on FAT)."""


class ModelFiles:
    """The files that a model was read from.

    Args:
        files: as they were mapped.
        part: which of the state dicts in them was read, and how, if there may be several.
    """

    def __init__(self, files: Sequence[MappedFile], *, part: str = "") -> None:
        self.files = tuple(files)
        self._part = part

    @cached_property
    def identity(self) -> str:
        """A hash of their content, in hexadecimal: the same for copies, another one if a single byte differs."""
        return self._identity()

    def check_unchanged(self) -> None:
        """Check that the mapped content is what was identified, whatever is in their places now.

        Raises:
            WeightsError: a file was written to.
        """
        if all(file.is_in_place for file in self.files):
            return
        if any(map(_is_shorter, self.files)) or self._identity() != self.identity:
            raise WeightsError(f"{self.files[0].path}: was written to after it was loaded; load the model again")

    def source(self) -> Path | bytes:
        """What an engine should read: the first file, or its bytes if another file has its place now.

        Raises:
            WeightsError: a file was written to, or one of several was replaced.
        """
        if all(file.is_in_place for file in self.files):
            return self.files[0].path
        self.check_unchanged()
        if len(self.files) > 1:  # an engine finds the second file by the name in the first, where another one is now
            raise WeightsError(f"{self.files[0].path}: was replaced after it was loaded; load the model again")
        return bytes(self.files[0].data[:])

    def _identity(self) -> str:
        facts = [self._part, *(_content_of(file) for file in self.files)]
        # surrogateescape: `part` may repeat keys of the file, and those may be anything.
        return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _content_of(file: MappedFile) -> str:
    """Length, sample and checksum."""
    sample = _sample(file.data)
    place = None
    if len(file.data) > SMALL and file.is_in_place:
        facts = repr((*facts_of(file.status), sample))
        place = cache_folder("contents") / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.txt"
        with suppress(OSError):
            known = place.read_text("ascii", "replace")
            if len(known) == 8:  # anything else was damaged, and is written again
                return f"{len(file.data)} {sample} {known}"
    checksum = f"{_checksum(file.data):08x}"
    if place is not None and time.time_ns() - max(file.status.st_mtime_ns, file.status.st_ctime_ns) > OLD_ENOUGH_NS:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as beside:
                beside.write_text(checksum, "ascii")
        except OSError as error:
            say_not_kept(place, error)
    return f"{len(file.data)} {sample} {checksum}"


def _sample(data: Buffer) -> str:
    """SHA-256 of pieces from all over the file, both ends among them."""
    digest = hashlib.sha256()
    last = max(0, len(data) - SAMPLE_BYTES)
    for number in range(SAMPLES + 1):
        start = last * number // SAMPLES
        digest.update(data[start : start + SAMPLE_BYTES])
    return digest.hexdigest()


def _checksum(data: Buffer) -> int:
    """CRC-32 of all bytes: it guards against accidents, not attackers."""
    checksum, view = 0, memoryview(data)
    for start in range(0, len(data), PIECE):
        checksum = zlib.crc32(view[start : start + PIECE], checksum)
        # Released at once: pages that were read count as memory of this process.
        if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            data.madvise(mmap.MADV_DONTNEED, start, min(PIECE, len(data) - start))
    return checksum


def _is_shorter(file: MappedFile) -> bool:
    """Whether a file was truncated in place: reading the missing part of its map would end the process (SIGBUS)."""
    with suppress(OSError):
        now = file.path.stat()
        return os.path.samestat(now, file.status) and now.st_size < file.status.st_size
    return False
