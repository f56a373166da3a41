"""A checkpoint, whoever wrote it: from its file to tensors under our keys, none of which is read yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from regnety.files.arrays import FileWeights, StoredTensor
from regnety.files.content_identity import ModelFiles
from regnety.files.file_contents import FileContent
from regnety.files.mapped_files import MappedFile
from regnety.files.reading import read_file
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.nesting import facts_of
from regnety.weights.selection import take_network

OWN_KEY = "regnety"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was found in a file."""

    path: Path
    mapped: tuple[MappedFile, ...]
    """All files that it consists of: a sharded one has an index and its shards."""
    container: str
    """`safetensors`, `torch zip` and so on."""
    part: str
    """Where in the file the state dict stands, `state_dict_ema`; empty where it is the whole of it."""
    name: str
    """What `--state-dict` calls it; mostly where it stands."""
    other_parts: tuple[str, ...]
    """State dicts of RegNets that were not taken, as `--state-dict` calls them."""
    facts: Mapping[str, Any]
    """What else the file says in plain values: architecture, epoch, metric."""
    dialect: Dialect
    """Whose names its keys are."""
    prefix: str
    """What stood before every key."""
    passed_over: tuple[str, ...]
    """Tensors that no RegNet needs."""
    tensors: Mapping[str, StoredTensor]
    """Under our keys, the stem turned to RGB."""
    own_metadata: str | None = None
    """The text with design, labels and preprocessing that `regnety train` puts beside the weights."""

    @cached_property
    def weights(self) -> FileWeights:
        """Key to array, each read when it is asked for."""
        return FileWeights(self.tensors, source=str(self.path))

    @property
    def files(self) -> tuple[Path, ...]:
        """Their paths."""
        return tuple(file.path for file in self.mapped)

    @cached_property
    def model_files(self) -> ModelFiles:
        """What identifies its weights: of one file there may be several state dicts."""
        return ModelFiles(self.mapped, part=f"{self.dialect.name} {self.part!r} {self.prefix!r}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Key to shape."""
        return {key: tensor.shape for key, tensor in self.tensors.items()}


def open_checkpoint(path: str | Path, *, state_dict: str | None = None) -> Checkpoint:
    """Find the state dict of a file. Nothing in it is run, and of the tensors only names and shapes are read.

    Args:
        path: a file of safetensors or of torch, of any age, or the index of a sharded one.
        state_dict: which of its state dicts; None is `take_network`'s choice.

    Raises:
        WeightsError: the file is missing, damaged or of another kind, or its keys are no RegNet's; the message begins
            with its name.
    """
    return checkpoint_of(read_file(path), state_dict=state_dict)


def checkpoint_of(content: FileContent, *, state_dict: str | None = None) -> Checkpoint:
    """The state dict of a file that was read; arguments as for `open_checkpoint`.

    Raises:
        WeightsError: as `open_checkpoint`.
    """
    taken = take_network(content.content, source=str(content.path), state_dict=state_dict)
    network = taken.network
    return Checkpoint(
        path=content.path,
        mapped=content.mapped,
        container=content.container,
        part=taken.part,
        name=taken.name,
        other_parts=taken.others,
        facts=facts_of(content.content),
        dialect=network.dialect,
        prefix=network.prefix,
        passed_over=network.passed_over,
        tensors=network.tensors,
        own_metadata=_own_metadata(content.content),
    )


def _own_metadata(content: Any) -> str | None:
    text = content.get(OWN_KEY) if isinstance(content, Mapping) else None
    return text if isinstance(text, str) else None
