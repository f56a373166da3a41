"""Compiled graphs on disk: found again by the content of the graph, and checked before they are used.

A file is what the engine exports, followed by 16 bytes: its length and its CRC-32, little-endian. OpenVINO's own cache
is not used: it reads and hashes the whole graph before it looks there, and loads whatever it finds, damaged or not.
"""

import hashlib
import io
import logging
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from regnety.storage.cache import say_not_kept
from regnety.storage.replacing import replacing
from regnety.version import __version__

SUFFIX = ".blob"
FOOTER = struct.Struct("<QQ")
READ_AT_A_TIME = 1 << 20
"""Bytes. The file is read in pieces to sum it up: mapped, it would count as memory of this process."""

logger = logging.getLogger("regnety")


def compiled_place(cache: Path, identity: str, facts: Iterable[object]) -> Path:
    """The file for the compiled form of a graph, whether it exists or not.

    Args:
        cache: the folder of compiled graphs.
        identity: identifies the graph's content.
        facts: all else that changes the compiled form: versions, the processor, the batch.
    """
    key = repr((__version__, identity, *facts))
    return cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{SUFFIX}"


def read_compiled(path: Path) -> npt.NDArray[np.uint8] | None:
    """What `keep_compiled` wrote, memory-mapped; None if there is no such file, or it is damaged."""
    try:
        # Mode c, copy-on-write: OpenVINO needs memory that it may write to.
        content: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, "c")
    except OSError:  # missing, or not ours to read
        return None
    except ValueError:  # an empty file cannot be mapped
        content = np.empty(0, np.uint8)
    length = len(content) - FOOTER.size
    if length > 0 and FOOTER.unpack(content[length:].data) == (length, checksum(content[:length].data)):
        return content[:length]
    logger.warning("%s: is damaged; it is compiled again", path)
    return None


def keep_compiled(path: Path, export: Callable[[io.BytesIO], None]) -> None:
    """Write a compiled graph, all of it or nothing; a folder that cannot be written or a full disk is only noted.

    Args:
        path: where it goes.
        export: writes the graph to a stream, piece by piece.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside, beside.open("w+b") as file:
            stream = _FileStream(file)
            export(stream)
            if stream.error is not None:
                raise stream.error
            file.seek(0)
            sum_so_far = 0
            while piece := file.read(READ_AT_A_TIME):
                sum_so_far = checksum(piece, sum_so_far)
            file.write(FOOTER.pack(file.tell(), sum_so_far))
    except OSError as error:
        say_not_kept(path, error)


class _FileStream(io.BytesIO):
    """A file as a BytesIO, the only stream that OpenVINO writes to; so the graph is never whole in memory.

    An exception would be lost in the C++ streams in between: the first one is kept, and nothing is done after it.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some bytes."""
        return self._pass_on(lambda: self._file.write(data), len(data))

    def flush(self) -> None:
        """Write what is buffered."""
        self._pass_on(lambda: self._file.flush() or 0, 0)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """OpenVINO goes back to fill in sizes that it did not know before."""
        return self._pass_on(lambda: self._file.seek(offset, whence), 0)

    def tell(self) -> int:
        """The place in the file."""
        return self._pass_on(self._file.tell, 0)

    def _pass_on(self, action: Callable[[], int], otherwise: int) -> int:
        if self.error is None:
            try:
                return action()
            except OSError as error:
                self.error = error
        return otherwise


def checksum(content: Any, so_far: int = 0) -> int:
    """CRC-32 of bytes that follow those with the checksum `so_far`."""
    # Against damage, not malice: a cryptographic hash of hundreds of megabytes would cost as much as the start.
    return zlib.crc32(content, so_far)
