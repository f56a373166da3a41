"""What a report says, kept in one file: so that the report can be made again, and set beside another, anywhere."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.errors import DataError
from regnety.files.opening import open_file
from regnety.plain_values import from_plain
from regnety.reports.content import Floats, Integers, Picture, ReportContent
from regnety.storage.replacing import replacing
from regnety.text import reason_of

CONTENT_FILE = "report.npz"
"""In the folder of a run, beside report.html."""
VERSION = 1
VALUES, BYTES, ENDS = "values", "bytes", "ends"
"""Arrays of the file: plain values as JSON; the files within it one after the other, and where each of them ends."""


def save_content(path: str | Path, content: ReportContent) -> None:
    """Write the content; an old file is replaced once the new one is whole.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    files: list[bytes] = []
    values = {"version": VERSION, "content": _plain(content, arrays, files)}
    arrays[VALUES] = np.frombuffer(json.dumps(values).encode(), np.uint8)
    arrays[BYTES] = np.frombuffer(b"".join(files), np.uint8)
    arrays[ENDS] = np.cumsum([len(each) for each in files], dtype=np.int64)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_content(path: str | Path) -> ReportContent:
    """Read what `save_content` has written.

    Raises:
        DataError: there is no such file, or it is damaged or of a later release; the message says what to do.
    """
    again = "run the command that made it again"
    try:
        with open_file(Path(path)) as file:
            if not zipfile.is_zipfile(file):  # of anything else NumPy would say that it may hold pickles
                raise DataError(f"{path}: is not what a report is made from, or cut short; {again}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        values = json.loads(arrays[VALUES].tobytes())
        if values["version"] != VERSION:
            raise DataError(f"{path}: is of another release of regnety; {again}")
        ends = arrays[ENDS].tolist()
        data = arrays[BYTES].tobytes()
        files = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return _content(values["content"], arrays, files)
    except DataError as error:
        raise error if str(error).startswith(str(path)) else DataError(f"{path}: {error}; {again}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}") from error
    # what NumPy, zipfile and JSON raise of a file that is cut short or was written by something else
    except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is damaged: {reason_of(error)}; {again}") from error


def content_of_run(run: str | Path) -> ReportContent:
    """The content of the report in the folder of a run, or in a file.

    Raises:
        DataError: there is none, or it is damaged; the message says what to do.
    """
    path = Path(run)
    if not path.exists():
        raise DataError(f"{path}: no such folder; RUN is one that finetune or train has written")
    if path.is_dir() and not (path / CONTENT_FILE).exists():
        raise DataError(f"{path}: has no {CONTENT_FILE}, from which a report is made; finetune and train write it")
    return load_content(path / CONTENT_FILE if path.is_dir() else path)


def _plain(value: Any, arrays: dict[str, npt.NDArray[Any]], files: list[bytes]) -> Any:
    """As JSON has it; an array becomes its name in `arrays`, a file its place in `files`."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), arrays, files) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each, arrays, files) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each, arrays, files) for each in value]
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return name
    if isinstance(value, bytes):
        files.append(value)
        return len(files) - 1
    return value.item() if isinstance(value, np.generic) else value


def _content(values: Any, arrays: Mapping[str, npt.NDArray[Any]], files: list[bytes]) -> ReportContent:
    def pictures(stored: dict[str, Any]) -> dict[str, Picture]:
        return {
            name: from_plain(Picture, each, path=name, error=DataError, decoders=own) for name, each in stored.items()
        }

    own: dict[Any, Any] = {
        Integers: lambda name: arrays[name],
        Floats: lambda name: arrays[name],
        bytes: lambda place: files[place],
        Mapping[str, Picture]: pictures,
        Mapping[str, tuple[float | None, ...]]: lambda series: {name: tuple(each) for name, each in series.items()},
    }
    return from_plain(ReportContent, values, name="the report", error=DataError, decoders=own)
