"""Images in a Parquet file. Parquet is read a row group at a time, so the last ones stay in memory.

In the order of the file every row group is read once. Out of order, as in training, a data set whose images are larger
than `KEPT_BYTES` reads a row group anew for many an image: unpack such a set, or train on tar shards.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from regnety.datasets.places import opened, what_failed
from regnety.datasets.tar_shards import file_stamp
from regnety.errors import DataError, ImageError, RegNetYError
from regnety.extras import import_extra
from regnety.forks import ProcessLock
from regnety.images.sources import StoredImage

KEPT_BYTES = 1 << 29
"""Of row groups in memory, of all files together."""

_kept: "OrderedDict[tuple[str, str, str, int], Any]" = OrderedDict()
_reading = ProcessLock()  # threads ask for neighbours: the first reads their row group for all


@dataclass(frozen=True, slots=True)
class ImageInParquet(StoredImage):
    """An image in a row of a Parquet file."""

    name: str
    file: str
    """Path or address."""
    column: str
    """Of bytes; `image.bytes` within a column of structures."""
    row_group: int
    row: int
    """Within the row group."""

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ImageError: the file cannot be read, or the row holds none.
        """
        try:
            with _reading:
                data = _row_group(self.file, self.column, self.row_group)[self.row].as_py()
        except DataError as error:
            raise ImageError(str(error)) from error
        except RegNetYError:
            raise
        except Exception as error:  # Arrow's errors, and those of a store's own library
            raise ImageError(f"{self.name}: {what_failed(error, self.file)}") from error
        if not data:
            raise ImageError(f"{self.name}: the row holds no image")
        return bytes(data)

    def stamp(self) -> str:
        """Size and time of the file."""
        return file_stamp(self.file)


def parquet() -> Any:
    """pyarrow.parquet.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("pyarrow.parquet", feature="Parquet", extra="table")


def _row_group(file: str, column: str, number: int) -> Any:
    """The images of a row group, as an array of bytes."""
    key = (file, file_stamp(file), column, number)
    if key not in _kept:
        with opened(file) as stream:
            # Arrow's threads would not be there in a forked child
            table = parquet().ParquetFile(stream).read_row_group(number, columns=[column], use_threads=False)
        values = table.column(0).combine_chunks()
        for part in column.split(".")[1:]:
            values = values.field(part)
        while _kept and values.nbytes + sum(kept.nbytes for kept in _kept.values()) > KEPT_BYTES:
            _kept.popitem(last=False)
        _kept[key] = values
    _kept.move_to_end(key)
    return _kept[key]
