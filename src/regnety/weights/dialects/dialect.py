"""What a dialect is: the names that one code base gives to the tensors of a RegNet."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from regnety.architecture.description import Architecture
from regnety.files.arrays import StoredTensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One code base's names, in both directions, for any design that it can express."""

    name: str
    """As in `regnety convert --to`: `pycls`."""
    owner: str
    """For a sentence: `pycls's`."""
    bgr_input: bool
    """Whether its networks are shown blue, green, red: the stem's input channels stand in the other order."""
    mark: str
    """A regular expression for the beginning of keys that no other dialect has."""
    recognises: Callable[[Collection[str]], bool]
    """Whether keys are this dialect's, by those that no other has."""
    our_key: Callable[[str], str | None]
    """One of its keys to ours; None for a key of its own that no RegNet needs. Raises KeyError for any other key."""
    their_keys: Callable[[Architecture], dict[str, str]]
    """Its keys to ours, in the order of its own state dict, for every key of the description."""
    obstacle: Callable[[Architecture], str | None]
    """Why it cannot express an architecture, as the end of "transformers cannot express it: ..."; None where it can."""
    nest: Callable[[Mapping[str, StoredTensor]], dict[str, Any]]
    """Its state dict as the nested content of the file that its own programs write."""
