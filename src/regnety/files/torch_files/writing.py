"""Files in the form of `torch.save`, written without torch and tensor by tensor."""

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor
from regnety.files.number_types import as_bytes
from regnety.files.torch_files.pickle_writing import STORAGE_CLASSES, Pickler, Written
from regnety.storage.replacing import replacing

FOLDER = "archive"
"""The folder of all entries; torch's own name when it writes to a stream."""
ALIGNMENT = 64
"""Bytes. Each storage begins at a multiple, as in torch's own files, so that `torch.load(mmap=True)` can use it in
place."""
PADDING_FIELD = b"FB"
"""The extra field of a zip entry that fills the gap; torch uses the same."""
FIELD_HEADER_BYTES = 4
LOCAL_HEADER_BYTES = 30
ZIP64_FIELD_BYTES = 20


def write_torch(path: str | Path, content: Any) -> None:
    """Write nested content as `torch.save` does; `torch.load` reads it, also with `weights_only=True`.

    The same tensor object in two places is written once, and read as one.

    Args:
        path: where the file goes; an old one is replaced.
        content: dict, list, tuple, str, int, float, bool and None, with `StoredTensor` and NumPy leaves. Each tensor is
            read once, one at a time; bfloat16 is written as float32.

    Raises:
        WeightsError: the content holds something else, or a tensor that cannot be read or that torch has no storage
            for; the message begins with `path`.
        OSError: the file cannot be written.
    """
    with replacing(path) as beside, beside.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        entries = _Entries(file, archive)
        try:
            pickle = Pickler(entries.write_tensor).dump(content)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from None
        # After the storages, whose keys and types it names; readers find entries by name.
        entries.write("data.pkl", pickle)
        entries.write("byteorder", b"little")
        entries.write("version", b"3\n")  # of torch's file format, the same since 1.6


class _Entries:
    """Writes the entries of an archive, uncompressed and aligned."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self.file, self.archive = file, archive
        self.written: dict[int, tuple[StoredTensor | Array, Written]] = {}
        """By id(): the tensor is kept too, as Python gives the id of a deleted object to a new one."""

    def write_tensor(self, tensor: StoredTensor | Array) -> Written:
        """Write the storage of a tensor, unless it is written already."""
        if id(tensor) not in self.written:
            array = np.asarray(tensor.read() if isinstance(tensor, StoredTensor) else tensor)
            dtype, key = array.dtype.name, str(len(self.written))
            if dtype not in STORAGE_CLASSES:
                raise WeightsError(f"is of type {dtype}, which torch has no storage for")
            self.write(f"data/{key}", as_bytes(array))
            self.written[id(tensor)] = tensor, (key, dtype, array.shape)
        return self.written[id(tensor)][1]

    def write(self, name: str, data: bytes | memoryview) -> None:
        info = zipfile.ZipInfo(f"{FOLDER}/{name}")
        large = len(data) > zipfile.ZIP64_LIMIT
        fixed = LOCAL_HEADER_BYTES + len(info.filename) + FIELD_HEADER_BYTES + (ZIP64_FIELD_BYTES if large else 0)
        # zipfile aligns nothing. The data follow the local header, whose length is known once the name and the extra
        # fields are.
        gap = -(self.file.tell() + fixed) % ALIGNMENT
        info.extra = PADDING_FIELD + gap.to_bytes(2, "little") + bytes(gap)
        with self.archive.open(info, "w", force_zip64=large) as entry:
            entry.write(data)
