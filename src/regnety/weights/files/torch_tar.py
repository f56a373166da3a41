"""Files of `torch.save` before 0.2: an uncompressed tar of four members.

sys_info    a pickle; only ever of machines with the lowest byte first
storages    their number; each as a pickle (key, device, class), a count of elements and the bytes; a list of views
tensors     their number; each as a pickle (key, key of its storage, class), the number of its dimensions in eight
            bytes, sizes, strides and offset
pickle      the object, whose persistent ids are the keys of tensors and storages
"""

from typing import Any

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.weights.files.arrays import StoredTensor
from regnety.weights.files.number_types import MOST_DIMENSIONS
from regnety.weights.files.torch_old import COUNT_BYTES, place, view_of
from regnety.weights.files.torch_tensors import (
    ITEM_SIZES,
    Region,
    Storage,
    rebuild_tensor,
    storage_type,
    whole_number,
)
from regnety.weights.files.unpickling import Unpickler

BLOCK_BYTES = 512


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    return head[257:262] == b"ustar"


def read_torch_tar(data: Buffer) -> Any:
    """The object that `torch.save` was given.

    Raises:
        WeightsError: the archive is damaged, none of torch's, or its pickle would run something; the message is the
            rest of a sentence about the file.
    """
    members = _members(data)
    missing = [name for name in ("storages", "tensors", "pickle") if name not in members]
    if missing:
        raise WeightsError(f"is a tar file, but none of torch.save: it has no member {missing[0]}")
    parts: dict[int, Storage | StoredTensor] = {}
    _read_storages(Unpickler(data, *members["storages"]), parts)
    _read_tensors(Unpickler(data, *members["tensors"]), parts)

    def load_part(key: Any) -> Any:
        return key[0] if isinstance(key, tuple) else parts[int(key)]  # a class with its source code, or a part's key

    return Unpickler(data, *members["pickle"], persistent_load=load_part).load()


def _members(data: Buffer) -> dict[str, tuple[int, int]]:
    """Where each of the members begins and ends."""
    members: dict[str, tuple[int, int]] = {}
    position = 0
    while position + BLOCK_BYTES <= len(data) and len(members) < 4:
        header = data[position : position + BLOCK_BYTES]
        if not header.strip(b"\0"):
            break
        try:
            size = int(header[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            size = -1
        start = position + BLOCK_BYTES
        if size < 0 or start + size > len(data):
            raise WeightsError(f"is a tar file with a damaged member at byte {position}")
        name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
        if name in ("sys_info", "storages", "tensors", "pickle"):
            members[name] = (start, start + size)
        position = start + size + -size % BLOCK_BYTES
    return members


def _read_storages(unpickler: Unpickler, parts: dict[int, Any]) -> None:
    for _ in range(whole_number(unpickler.load())):
        key, _, cls = unpickler.load()
        dtype = storage_type(cls)
        begin = unpickler.position
        numel = int.from_bytes(unpickler.data[begin : begin + COUNT_BYTES], "little")
        storage = Storage(cls.name, dtype, numel, Region(unpickler.data, -1, numel * ITEM_SIZES[dtype]))
        unpickler.position = place(storage, begin)
        parts[whole_number(key)] = storage
    for key, root, offset, numel in unpickler.load():
        parts[whole_number(key)] = view_of(parts[root], offset, numel)


def _read_tensors(unpickler: Unpickler, parts: dict[int, Any]) -> None:
    for _ in range(whole_number(unpickler.load())):
        key, storage, _ = unpickler.load()
        dimensions, _ = unpickler.numbers("<ii")
        if not 0 <= dimensions <= MOST_DIMENSIONS:
            raise WeightsError(f"has a tensor of {dimensions} dimensions; {MOST_DIMENSIONS} can be read")
        shape = unpickler.numbers(f"<{dimensions}q")
        strides = unpickler.numbers(f"<{dimensions}q")
        (offset,) = unpickler.numbers("<q")
        parts[whole_number(key)] = rebuild_tensor(parts[storage], offset, shape, strides)
