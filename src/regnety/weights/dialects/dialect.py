"""What a dialect is: a table of names for the modules of a RegNet, and what else one code base does differently.

The parameters of a module (`weight`, `running_mean`) have torch's names everywhere, so a table of modules is enough. It
is read in both directions: from a description to all keys in the other program's order, and from one key to ours. How
many stages and blocks there are, and which of them squeeze or have a shortcut convolution, the description alone knows.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.files.arrays import StoredTensor

STEM = ("stem.conv", "stem.bn")
HEAD = "head.fc"


def _one_of_each() -> frozenset[str]:
    """The keys of a network whose only block has every layer that a block can have: a first block has a shortcut."""
    design = AnyNetDesign(stages=(StageDesign(width=8, depth=1, group_width=8),))
    return frozenset(design.architecture().state_dict_shapes())


OUR_KEYS = _one_of_each()
"""All keys of ours, every block being `s1.b1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNames:
    """One code base's names for the modules of a RegNet."""

    stem: tuple[str, str]
    """Convolution and batch norm."""
    block: str
    """What names in a block begin with; `{stage}` and `{block}` are its numbers, `{next_stage}` is one more."""
    first_stage: int = 1
    """The number of the first stage."""
    first_block: int = 1
    """The number of the first block of every stage."""
    in_block: Mapping[str, str]
    """Its modules of a block to ours, in its order."""
    in_plain_block: Mapping[str, str] = field(default_factory=dict)
    """The same for a block without squeeze-excitation, if it is numbered differently; else empty."""
    head: str
    """The classifier."""
    mark: str
    """A regular expression for the beginning of keys that no other dialect has."""

    def our_key(self, key: str) -> str:
        """One of its keys to ours.

        Raises:
            KeyError: no RegNet has it.
        """
        module, _, parameter = key.rpartition(".")
        block, ours = self._our_module(module)
        # Whether this block of this network has the key, the shapes say later; here only whether any block could.
        if f"{block and 's1.b1.'}{ours}.{parameter}" not in OUR_KEYS:
            raise KeyError(key)
        return f"{block}{ours}.{parameter}"

    def their_keys(self, architecture: Architecture) -> dict[str, str]:
        """Its keys to ours, in its order, for every key of a description."""
        parameters: dict[str, list[str]] = {}
        for key in architecture.state_dict_shapes():
            module, _, parameter = key.rpartition(".")
            parameters.setdefault(module, []).append(parameter)
        return {
            f"{theirs}.{parameter}": f"{ours}.{parameter}"
            for theirs, ours in self._modules(architecture)
            for parameter in parameters.get(ours, ())
        }

    def _modules(self, architecture: Architecture) -> Iterator[tuple[str, str]]:
        """Its modules and ours, in its order, including those that a block lacks."""
        yield from zip(self.stem, STEM, strict=True)
        for stage, blocks in enumerate(architecture.stages):
            for number, block in enumerate(blocks.blocks):
                # transformers numbers the layers of a block, and without SE the last one has another number.
                names = self.in_block if block.se else self.in_plain_block or self.in_block
                prefix = self._prefix(self.first_stage + stage, self.first_block + number)
                yield from ((f"{prefix}{theirs}", f"{block.name}.{ours}") for theirs, ours in names.items())
        yield self.head, HEAD

    def _our_module(self, module: str) -> tuple[str, str]:
        """The beginning of our block, empty for stem and head, and our module."""
        match = _numbers(self.block).match(module)
        if match is None:
            return "", dict(zip((*self.stem, self.head), (*STEM, HEAD), strict=True))[module]
        stage, block = int(match["stage"]), int(match["block"])
        if match[0] != self._prefix(stage, block) or stage < self.first_stage or block < self.first_block:
            raise KeyError(module)  # block 00, or a name that repeats its stage's number with another one
        ours = {**self.in_plain_block, **self.in_block}[module.removeprefix(match[0])]
        return f"s{stage - self.first_stage + 1}.b{block - self.first_block + 1}.", ours

    def _prefix(self, stage: int, block: int) -> str:
        return self.block.format(stage=stage, block=block, next_stage=stage + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One code base's names, in both directions, for any design that it can express."""

    name: str
    """As in `regnety convert --to`: `pycls`."""
    owner: str
    """For a sentence: `pycls's`."""
    names: ModuleNames
    """Its names of modules."""
    obstacle: Callable[[Architecture], str | None]
    """Why it cannot express an architecture, as the end of "transformers cannot express it: ..."; None if it can."""
    bgr_input: bool = False
    """Whether its networks take blue, green, red: the stem's input channels are in the other order."""
    translate: Callable[[str], str | None] | None = None
    """In place of `names.our_key`, if the code base has keys beyond its table; None for one that no RegNet needs."""
    nest: Callable[[Mapping[str, StoredTensor]], dict[str, Any]] = dict
    """Its state dict as the nested content of the file that its own programs write."""
    usual_tag: str | None = None
    """Of the published weights whose preprocessing is assumed for a file with these keys, if the model has such."""

    def our_key(self, key: str) -> str | None:
        """One of its keys to ours; None for a key of its own that no RegNet needs.

        Raises:
            KeyError: it has no such key.
        """
        return (self.translate or self.names.our_key)(key)

    def their_keys(self, architecture: Architecture) -> dict[str, str]:
        """Its keys to ours, in the order of its own state dict, for every key of a description."""
        return self.names.their_keys(architecture)


@cache
def _numbers(block: str) -> re.Pattern[str]:
    """A regular expression for what names in a block begin with."""
    pattern = re.escape(block)
    # At most four digits: int() of a hostile key with 400,000 of them would take seconds, or be refused by Python.
    # A hole that appears twice is named once, as a group may be; `_our_module` compares the whole prefix.
    for name in ("stage", "block", "next_stage"):
        hole = re.escape(f"{{{name}}}")
        pattern = pattern.replace(hole, f"(?P<{name}>[0-9]{{1,4}})", 1).replace(hole, "[0-9]{1,4}")
    return re.compile(pattern)
