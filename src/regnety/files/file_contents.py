"""What a file holds: nested plain Python with tensors in it, and a walk through it that always ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.mapped_files import MappedFile

ContentPath: TypeAlias = tuple[Any, ...]
"""Keys and indices that lead to a value, outermost first: ("state_dict", "stem.conv.weight")."""

DEEPEST = 100
"""Levels of nesting that a file may have; an optimizer in a trainer's checkpoint takes six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file, read; the values of its tensors are still in the file."""

    path: Path
    mapped: tuple[MappedFile, ...]
    """All files that it consists of, `path` first."""
    container: str
    """What kind of file it is: "safetensors", "torch zip", "safetensors in 3 shards"."""
    content: Any
    """dict, list, tuple, set, str, bytes, int, float, complex, bool and None, with `StoredTensor` and `Opaque` leaves.

    Parts may be shared, and may even contain themselves: walk them with `walk_tensors`."""
    metadata: Mapping[str, str]
    """What a safetensors file says about itself; empty for the others."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Their paths."""
        return tuple(file.path for file in self.mapped)


# Compared by identity: objects may contain each other, and comparing their parts would not end.
@dataclass(slots=True, eq=False)
class Opaque:
    """An object of a class that was not imported: the class's name and the data that would have filled it."""

    name: str
    """The class, as `argparse.Namespace`."""
    state: Any = None
    """Its attributes, usually a dict; the arguments of its constructor if it has no attributes."""
    items: Any = None
    """The content of a subclass of dict or list, like yacs's CfgNode."""


def walk_tensors(content: Any) -> Iterator[tuple[ContentPath, StoredTensor]]:
    """Every tensor of nested content with the path to it, in the order of the file.

    A container is visited once, where it is met first. The content of an `Opaque` has the path of the `Opaque`.

    Raises:
        WeightsError: the content is nested deeper than `DEEPEST` levels.
    """
    # A pickle can make a list that contains itself, and one that doubles with each level: so every container once, and
    # a list of what is still to visit instead of recursion.
    seen: set[int] = set()
    waiting: list[tuple[ContentPath, Any]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, StoredTensor):
            yield path, value
        elif id(value) not in seen:
            seen.add(id(value))
            inner = list(_inner(path, value))
            if inner and len(inner[0][0]) > DEEPEST:
                raise WeightsError(f"its content is nested deeper than {DEEPEST} levels")
            waiting.extend(reversed(inner))  # the last one in is the next one out, and the file's order is kept


def _inner(path: ContentPath, value: Any) -> Iterator[tuple[ContentPath, Any]]:
    """What a container holds that may hold tensors."""
    if isinstance(value, Opaque):
        for part in (value.state, value.items):
            if isinstance(part, _CONTAINERS):
                yield path, part
    elif isinstance(value, dict | list | tuple):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(part, _CONTAINERS):
                yield (*path, key), part


_CONTAINERS = (StoredTensor, dict, list, tuple, Opaque)
