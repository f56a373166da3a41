"""A journal: results as they come, one line of JSON each, that a kill at any byte leaves readable."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from regnety.errors import JobError
from regnety.storage.room import disk_full
from regnety.text import one_line, reason_of

Record: TypeAlias = dict[str, Any]


def read_journal(path: Path) -> list[Record]:
    """The records of a journal, also while it is being written; none where there is no file.

    Raises:
        JobError: the file cannot be read, or a line before the last is damaged.
    """
    return _whole_records(path)[0]


class Journal:
    """Appends records to a file; a record is on the disk when `append` returns.

    A line that a kill or a full disk has cut is removed when the journal is opened: its result had not been kept.

    Args:
        path: of the file, which is created. Nobody else may write to it.

    Raises:
        JobError: the file cannot be read or written, or a line before the last is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records, self._size = _whole_records(path)
        try:
            self._file = path.open("ab", buffering=0)
            self._file.truncate(self._size)
        except OSError as error:
            raise JobError(f"{path}: cannot be written to: {reason_of(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, record: Record) -> None:
        """Keep a record.

        Raises:
            OSError: the disk is full, or the file cannot be written; the journal is as it was before.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        try:
            written = self._file.write(line)
            if written != len(line):  # what a disk takes that is nearly full
                raise disk_full(self.path)
            os.fsync(self._file.fileno())
        except BaseException:
            self._file.truncate(self._size)
            raise
        self._size += len(line)
        self.records.append(record)


def _whole_records(path: Path) -> tuple[list[Record], int]:
    """The records, and the bytes that they take: what follows is no whole line."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {reason_of(error)}") from error
    end = data.rfind(b"\n") + 1
    records: list[Record] = []
    lines = data[:end].split(b"\n")[:-1]  # not splitlines: a file copied with CRLF has its bytes counted too
    size = 0
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not a table")
        except ValueError as error:
            if number == len(lines):  # a power cut can leave a line of zeros
                break
            raise JobError(f"{path}: line {number} is damaged: {one_line(error)}; remove it to go on") from None
        records.append(record)
        size += len(line) + 1
    return records, size
