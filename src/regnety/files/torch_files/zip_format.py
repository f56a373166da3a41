"""Files of `torch.save` since 1.6: a zip of a pickle and one entry for each storage, uncompressed.

NAME/data.pkl       the object; its storages are persistent ids ("storage", class, key, device, elements)
NAME/data/KEY       the bytes of a storage
NAME/byteorder      "little" or "big"; missing before 2.1, which wrote the byte order of its machine
"""

import io
import zipfile
from pathlib import Path
from struct import error as StructError
from struct import unpack_from
from typing import Any

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.files.torch_files.pickle_reading import Unpickler
from regnety.files.torch_files.tensors import ITEM_SIZES, Region, Storage, storage_type, whole_number
from regnety.text import excerpt

LARGEST_DIRECTORY = 2 << 20
"""Bytes of the zip's list of entries. zipfile's objects take some fifteen times as much; torch writes about 70 bytes an
entry, so this is enough for 30,000 tensors."""

LOCAL_HEADER = b"PK\x03\x04"
LOCAL_HEADER_BYTES = 30
ENCRYPTED = 1


def read_torch_zip(path: Path, data: Buffer) -> Any:
    """The object that `torch.save` was given.

    Raises:
        WeightsError: the archive is damaged or not torch's, or its pickle would run something; the message is the rest
            of a sentence about the file.
    """
    archive = _Archive(path, data)
    if "constants.pkl" in archive:
        raise WeightsError("is a TorchScript program (torch.jit.save), which is code; save its state_dict instead")
    if "data.pkl" not in archive:
        raise WeightsError(f"is a zip file, but not one of torch.save: it has no data.pkl; {archive.description()}")
    order = archive.read("byteorder") if "byteorder" in archive else b"little"
    if order not in (b"little", b"big"):
        raise WeightsError("has a byte order that is neither little nor big")

    def load_storage(key: Any) -> Storage:
        kind, cls, name, _, count = key
        if kind != "storage" or not isinstance(name, str):
            raise WeightsError("has a pickle that refers to something that is not a storage")
        dtype, numel = storage_type(cls), whole_number(count)
        start, size = archive.place(f"data/{name}")
        if size != numel * ITEM_SIZES[dtype]:
            raise WeightsError(f"has {numel} elements of {dtype} in data/{excerpt(name)}, which has {size} bytes")
        return Storage(cls.name, dtype, numel, Region(data, start, size, big_endian=order == b"big"))

    start, size = archive.place("data.pkl")
    return Unpickler(data, start, start + size, persistent_load=load_storage).load()


def _damage(error: Exception) -> str:
    # A zip's list of entries is at its end. Without it zipfile says "not a zip file", which would puzzle the owner of a
    # download that was cut short.
    if str(error) == "File is not a zip file":
        return "its end is missing, as if it was not copied whole; copy or fetch it again"
    return excerpt(error)


class _Archive:
    """The entries of a zip in one folder, and where their bytes are.

    zipfile reads only the list: the bytes themselves are used in the map.
    """

    def __init__(self, path: Path, data: Buffer) -> None:
        self.data = data
        try:
            with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        except WeightsError:
            raise
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError, StructError) as error:
            raise WeightsError(f"is a damaged zip file: {_damage(error)}") from None
        self.names = [entry.filename for entry in entries]
        # torch names the folder after the file, and a file may be renamed: so it is whatever the first entry is in.
        self.folder = self.names[0].partition("/")[0] if entries else ""
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) < len(entries):  # readers differ in which of the two they take
            raise WeightsError("is a zip file with two entries of one name")

    def __contains__(self, name: str) -> bool:
        return f"{self.folder}/{name}" in self.entries

    def description(self) -> str:
        """What it may be instead."""
        if any(name.endswith(".npy") for name in self.names):
            return "it looks like NumPy's .npz"
        if "model.weights.h5" in self.names:
            return "it looks like Keras's .keras"
        return f"it has {excerpt(self.names[0])}" if self.names else "it is empty"

    def place(self, name: str) -> tuple[int, int]:
        """Where an entry's bytes begin in the file, and their number."""
        entry = self.entries.get(f"{self.folder}/{name}")
        if entry is None:
            raise WeightsError(f"is a zip file without the entry {excerpt(name)} that its pickle refers to")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & ENCRYPTED:
            raise WeightsError(
                f"is a zip file whose {excerpt(name)} is compressed or encrypted, which torch never does; "
                "unpack it and pack it without compression (zip -0)"
            )
        header = entry.header_offset
        if not 0 <= header <= len(self.data) - LOCAL_HEADER_BYTES or self.data[header : header + 4] != LOCAL_HEADER:
            raise WeightsError(f"is a damaged zip file: {excerpt(name)} is not where its directory says")
        # Lengths of name and extra field from the local header: torch pads there, and the list has other lengths.
        start = header + LOCAL_HEADER_BYTES + sum(unpack_from("<HH", self.data, header + 26))
        if entry.file_size != entry.compress_size or start + entry.file_size > len(self.data):
            raise WeightsError(f"is a damaged zip file: {excerpt(name)} goes beyond its end")
        return start, entry.file_size

    def read(self, name: str) -> bytes:
        start, size = self.place(name)
        return self.data[start : start + min(size, 16)]  # of "byteorder" alone, whatever size it claims


class _Bounded(io.FileIO):
    """A file from which no more is read at a time than a reasonable list of entries.

    zipfile reads the whole list at once, with the length that the file claims, before it checks anything.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise WeightsError(f"is a zip file whose list of entries is longer than {LARGEST_DIRECTORY} bytes")
        return super().read(size) or b""
