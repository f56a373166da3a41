"""Files of torch.save in all its forms, the oldest made by hand."""

import io
import pickle
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

FORMS = ("torch zip", "torch (before 1.6)", "torch tar")


def state_dict() -> OrderedDict[str, torch.Tensor]:
    """Small, with a batch norm's counter and torch's `_metadata`."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return network.state_dict()


def save(content: Any, path: Path, form: str = "torch zip") -> Path:
    if form == "torch tar":
        save_tar(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "torch zip")
    return path


def save_tar(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """As torch.save did until 0.1.12, each tensor on a view of a storage that begins where the tensor does."""
    storages, rows = io.BytesIO(), io.BytesIO()
    pickle.dump(len(tensors), storages, 2)
    pickle.dump(len(tensors), rows, 2)
    keys: dict[int, int] = {}
    views = []
    for key, tensor in enumerate(tensors.values(), start=1):
        keys[id(tensor)] = key
        storage = tensor.untyped_storage()
        kind = getattr(torch, tensor.type().removeprefix("torch.").replace("Tensor", "Storage"))
        pickle.dump((1000 + key, "cpu", kind), storages, 2)
        numel = storage.nbytes() // tensor.element_size()
        storages.write(struct.pack("<q", numel) + bytes(storage))
        views.append((2000 + key, 1000 + key, tensor.storage_offset(), numel - tensor.storage_offset()))
        pickle.dump((key, 2000 + key, None), rows, 2)
        rows.write(struct.pack("<ii", tensor.dim(), 0))
        rows.write(struct.pack(f"<{2 * tensor.dim()}q", *tensor.shape, *tensor.stride()) + struct.pack("<q", 0))
    pickle.dump(views, storages, 2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> str | None:
            return str(keys[id(value)]) if isinstance(value, torch.Tensor) else None

    content = io.BytesIO()
    Pickler(content, 2).dump(tensors)
    members = {
        "sys_info": pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2),
        "pickle": content.getvalue(),
        "tensors": rows.getvalue(),
        "storages": storages.getvalue(),
    }
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 0.5  # half a second takes a header of its own
            archive.addfile(info, io.BytesIO(data))
