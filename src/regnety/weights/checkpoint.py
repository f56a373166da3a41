"""A checkpoint of any code base: from its file to tensors under our keys, none of which is read yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from regnety.files.arrays import FileWeights, shapes_of
from regnety.files.content_identity import ModelFiles
from regnety.files.file_contents import FileContent
from regnety.files.reading import read_file
from regnety.weights.nesting import facts_of
from regnety.weights.networks import Network
from regnety.weights.selection import Taken, take_network

OWN_KEY = "regnety"  # beside the weights in checkpoints of `regnety train`


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was found in a file."""

    file: FileContent
    """What it holds, and all files that it consists of: a sharded one has an index and its shards."""
    taken: Taken
    """The RegNet in it, and the others."""

    @property
    def path(self) -> Path:
        """The file, or the index of its shards."""
        return self.file.path

    @property
    def network(self) -> Network:
        """The RegNet: its tensors under our keys, the stem in RGB, and whose names they had."""
        return self.taken.network

    @cached_property
    def weights(self) -> FileWeights:
        """Key to array, each read when it is asked for."""
        return FileWeights(self.network.tensors, source=str(self.path))

    @cached_property
    def model_files(self) -> ModelFiles:
        """What identifies its weights: of one file there may be several state dicts."""
        network = self.network  # the same bytes under another dialect's reading are another model (BGR, for one)
        return ModelFiles(self.file.mapped, part=f"{network.dialect.name} {self.taken.part!r} {network.prefix!r}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Key to shape."""
        return shapes_of(self.weights)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What else the file says in plain values: architecture, epoch, metric."""
        return facts_of(self.file.content)

    @property
    def own_metadata(self) -> str | None:
        """The text with design, labels and preprocessing that `regnety train` writes beside the weights."""
        content = self.file.content
        text = content.get(OWN_KEY) if isinstance(content, Mapping) else None
        return text if isinstance(text, str) else None


def open_checkpoint(path: str | Path, *, state_dict: str | None = None) -> Checkpoint:
    """Find the state dict of a file. Nothing in it is run; of the tensors only names and shapes are read.

    Args:
        path: a file of safetensors or of torch, of any age, or the index of a sharded one.
        state_dict: which of its state dicts; None is `take_network`'s choice.

    Raises:
        WeightsError: the file is missing, damaged or of another kind, or its keys are not a RegNet's; the message
            begins with its name.
    """
    return checkpoint_of(read_file(path), state_dict=state_dict)


def checkpoint_of(content: FileContent, *, state_dict: str | None = None) -> Checkpoint:
    """The state dict of a file that was read; arguments as for `open_checkpoint`.

    Raises:
        WeightsError: as `open_checkpoint`.
    """
    taken = take_network(content.content, source=str(content.path), state_dict=state_dict)
    return Checkpoint(file=content, taken=taken)
