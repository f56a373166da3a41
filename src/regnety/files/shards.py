"""Checkpoints in several files: an index in JSON says which tensor is in which file beside it.

{"metadata": {"total_size": 8}, "weight_map": {"stem.conv.weight": "model-00001-of-00002.safetensors", ...}}
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.checked_json import read_json
from regnety.files.file_contents import FileContent
from regnety.files.mapped_files import Buffer, MappedFile
from regnety.text import excerpt


def read_shards(index: MappedFile, read: Callable[[Path], FileContent]) -> FileContent:
    """The tensors of all shards, in the order of the index.

    Args:
        index: their index.
        read: how to read a shard.

    Raises:
        WeightsError: the index is damaged, or a shard is missing, elsewhere or has other tensors than it should.
    """
    path = index.path
    places = _weight_map(path, index.data)
    shards = {name: read(_beside(path, name)) for name in dict.fromkeys(places.values())}
    # Both directions: a shard of another save has the right name and other tensors, and would give a mixed model.
    for name, shard in shards.items():
        kept = shard.content if isinstance(shard.content, dict) else {}
        for key, value in kept.items():
            if places.get(key) != name or not isinstance(value, StoredTensor):
                raise WeightsError(f"{path}: {excerpt(name)} has {excerpt(key)}, which the index does not expect there")
        for key in places:
            if places[key] == name and key not in kept:
                raise WeightsError(f"{path}: {excerpt(key)} should be in {excerpt(name)}, and is not")
    container = next(iter(shards.values())).container  # all are alike: one program wrote them
    return FileContent(
        path=path,
        mapped=(index, *(file for shard in shards.values() for file in shard.mapped)),
        container=f"{container} in {len(shards)} {'shard' if len(shards) == 1 else 'shards'}",
        content={key: shards[name].content[key] for key, name in places.items()},
        metadata={name: text for shard in shards.values() for name, text in shard.metadata.items()},
    )


def _weight_map(path: Path, data: Buffer) -> dict[str, str]:
    try:
        index = read_json(data)
    except WeightsError as error:
        raise WeightsError(f"{path}: its index of shards {error}") from None
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise WeightsError(f"{path}: is JSON, but not an index of shards: it has no weight_map from tensors to files")
    return places


def _beside(path: Path, name: str) -> Path:
    """A shard's path. It never leads out of the index's folder, whichever system wrote the separators."""
    if name in ("", ".", "..") or PurePosixPath(name).name != name or PureWindowsPath(name).name != name:
        raise WeightsError(f"{path}: refers to {excerpt(name)}, which is not a file beside it")
    return path.with_name(name)
