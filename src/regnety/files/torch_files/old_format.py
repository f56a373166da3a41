"""Files of `torch.save` before 1.6: pickles one after the other, then the storages, each after its count of elements.

magic number, protocol version, system      three pickles
the object                                  a pickle; its storages are persistent ids, as in `zip_format`
keys of the storages                        a pickle of a list; the storages follow in this order

torch before 0.2 (2017) wrote a tar. It is not read: RegNet is of 2020.
"""

from typing import Any

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.files.torch_files.pickle_reading import Unpickler
from regnety.files.torch_files.tensors import ITEM_SIZES, Region, Storage, storage_type, whole_number

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # torch's own, as is the version
PROTOCOL_VERSION = 1001
COUNT_BYTES = 8


def read_pickles(data: Buffer) -> tuple[str, Any]:
    """The container, and the object that `torch.save` or `pickle.dump` was given.

    Raises:
        WeightsError: the file is damaged, or its pickle would run something; the message is the rest of a sentence
            about the file.
    """
    storages: dict[str, Storage] = {}
    unpickler = Unpickler(data)
    first = unpickler.load()
    if first != MAGIC_NUMBER:
        return "pickle", first  # a plain pickle.dump, with NumPy arrays for example
    if unpickler.load() != PROTOCOL_VERSION:
        raise WeightsError(f"is a torch.save file of a version other than {PROTOCOL_VERSION}")
    unpickler.load()  # the writer's system; torch writes little-endian on all of them

    def load_storage(key: Any) -> Any:
        kind, cls, *rest = key
        if kind in ("module", b"module"):
            return cls  # a class with its source code, saved so that torch can warn when it has changed
        name, _, count, view = rest
        if kind not in ("storage", b"storage") or not isinstance(name, str):
            raise WeightsError("has a pickle that refers to something that is not a storage")
        if name not in storages:
            dtype, numel = storage_type(cls), whole_number(count)
            size = numel * ITEM_SIZES[dtype]
            storages[name] = Storage(cls.name, dtype, numel, Region(data, -1, size))  # its place is only known later
        # A view is a part of a storage: its key, its offset and its number of elements.
        return storages[name] if view is None else view_of(storages[name], *view[1:])

    unpickler.persistent_load = load_storage
    content = unpickler.load()
    unpickler.persistent_load = None
    keys = unpickler.load()
    position = unpickler.position
    if not isinstance(keys, list) or sorted(keys) != sorted(storages):
        raise WeightsError("has storages other than those its tensors refer to")
    for key in keys:
        position = place(storages[key], position)
    return "torch (before 1.6)", content


def view_of(storage: Storage, offset: Any, numel: Any) -> Storage:
    """A part of a storage, by its elements."""
    offset, numel = whole_number(offset), whole_number(numel)
    if offset + numel > storage.numel:
        raise WeightsError(f"has a view that reaches beyond its storage of {storage.numel} elements")
    shift = storage.shift + offset * ITEM_SIZES[storage.dtype]
    return Storage(storage.name, storage.dtype, numel, storage.region, shift)


def place(storage: Storage, position: int) -> int:
    """Find the bytes of a storage after its count, and return where they end."""
    region = storage.region
    end = position + COUNT_BYTES
    count = int.from_bytes(region.data[position:end], "little")
    if count != storage.numel or end + region.size > len(region.data):
        raise WeightsError(
            f"has a storage of {storage.numel} elements at byte {position}, where {count} are announced "
            f"and {max(0, len(region.data) - end)} bytes follow"
        )
    region.start = end
    return end + region.size
