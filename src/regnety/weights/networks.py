"""The RegNets in a state dict: their tensors under our keys, and what else the state dict holds."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor, same_values
from regnety.text import listed
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.registry import DIALECTS
from regnety.weights.stem import STEM_WEIGHT, reversed_stem

COUNTERS = ("n_averaged", "total_ops", "total_params")
"""What torch's AveragedModel and thop, a counter of operations, add to a state dict: the last part of such keys."""
MAX_WRAPPERS = 8
"""Modules around a network, more than any has. Without a limit a hostile key with a million dots would take minutes."""
MAX_NETWORKS = 32
"""RegNets in one state dict; a cross-validation has some ten folds."""
MOST_BESIDE = 20_000
"""Tensors beside each RegNet of a state dict; a detector has some hundreds."""
_WRAPPERS = re.compile(r"(?<=\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch's wrappers put around modules, also in the middle of a network."""


class StandsBetween(WeightsError):
    """Something beside a RegNet may change its answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The weights of a RegNet under our keys."""

    dialect: Dialect
    """Whose names they had."""
    prefix: str
    """What all names began with, such as `module._orig_mod.`; usually empty."""
    tensors: Mapping[str, StoredTensor]
    """Our keys to tensors, in the file's order; the stem takes red, green, blue."""
    passed_over: tuple[str, ...]
    """Keys of the file that no network needs."""
    beside: Mapping[str, StoredTensor]
    """Everything else, under its names in the file."""
    modules: frozenset[str]
    """Its outermost modules, by their names in the file without the prefix."""


def networks_in(tensors: Mapping[str, StoredTensor], *, source: str) -> list[Network]:
    """Every RegNet of a state dict, complete or not, in the file's order.

    Args:
        tensors: its keys to tensors.
        source: the file, which messages begin with.

    Raises:
        WeightsError: one has two different tensors for one of our keys, or a stem that cannot be turned into RGB; or
            there are more than `MAX_NETWORKS`.
    """
    # By marks, keys that only one dialect has: `head.fc.weight` alone could be anybody's.
    counters = tuple(key for key in tensors if key.rpartition(".")[2] in COUNTERS)
    names = [key for key in tensors if key.rpartition(".")[2] not in COUNTERS]
    dialects: dict[str, set[str]] = {}
    for name in names:
        found = _mark(name)
        if found is not None:
            dialects.setdefault(found[0], set()).add(found[1])
            if len(dialects) > MAX_NETWORKS:
                raise WeightsError(f"{source}: holds parts of more than {MAX_NETWORKS} RegNets; save only one of them")
    keys, outside = _divided(names, dialects)
    # Each network looks at all that is outside: the product bounds the work, not the file's size.
    if len(outside) * len(dialects) > MOST_BESIDE:
        raise WeightsError(f"{source}: holds {len(outside)} tensors beside its RegNets; save the RegNet alone")
    networks = []
    for prefix, own in keys.items():
        dialect = next(dialect for name, dialect in DIALECTS.items() if name in dialects[prefix])
        around = {key: tensors[key] for key, nearest in outside.items() if prefix in nearest}
        networks.append(_network({key: tensors[key] for key in own}, around, dialect, prefix, counters, source))
    return networks


def why_none(names: Collection[str]) -> str:
    """Why there is no RegNet in a state dict, as the rest of a sentence about the file."""
    *most, last = DIALECTS
    return f"is not a RegNet under the names of {', '.join(most)} or {last}; its keys are {listed(names)}"


def _network(
    tensors: Mapping[str, StoredTensor],
    around: Mapping[str, StoredTensor],
    dialect: Dialect,
    prefix: str,
    counters: tuple[str, ...],
    source: str,
) -> Network:
    """One of them, from the keys that have its prefix and those around it."""
    passed_over, theirs = list(counters), dict[str, str]()
    beside: dict[str, StoredTensor] = {}
    for name, tensor in tensors.items():
        try:
            ours = dialect.our_key(_without_wrappers(name, prefix))
        except KeyError:
            beside[name] = tensor
            continue
        if ours is None:
            passed_over.append(name)
        elif ours not in theirs:  # VISSL's spellings meet in one of ours: a file may have two keys for one tensor
            theirs[ours] = name
        elif same_values(tensors[theirs[ours]], tensor):
            passed_over.append(name)
        else:
            raise WeightsError(f"{source}: {listed([theirs[ours], name])} are both {ours}")
    if len(beside) > MOST_BESIDE:
        raise WeightsError(f"{source}: holds {len(beside)} tensors that no RegNet has; save the RegNet alone")
    translated = {ours: _as_scalar(ours, tensors[name]) for ours, name in theirs.items()}
    if dialect.bgr_input and STEM_WEIGHT in translated:
        shape = translated[STEM_WEIGHT].shape
        if len(shape) != 4 or shape[1] != 3:
            raise WeightsError(
                f"{source}: {theirs[STEM_WEIGHT]} is {shape}; {dialect.owner} stems take 3 channels: blue, green, red"
            )
        translated[STEM_WEIGHT] = reversed_stem(translated[STEM_WEIGHT])
    return Network(
        dialect=dialect,
        prefix=prefix,
        tensors=translated,
        passed_over=tuple(passed_over),
        beside={**beside, **around},
        modules=frozenset(name.removeprefix(prefix).partition(".")[0] for name in theirs.values()),
    )


def _as_scalar(key: str, tensor: StoredTensor) -> StoredTensor:
    # Conversions through NumPy or Keras may have given the counter of a batch norm an axis.
    if not key.endswith(".num_batches_tracked") or tensor.shape != (1,):
        return tensor
    return replace(tensor, shape=(), read=lambda: np.asarray(tensor.read()).reshape(()))


def _mark(name: str) -> tuple[str, str] | None:
    """The prefix of a RegNet's key, and the name of its dialect; None if nothing marks the key as a RegNet's."""
    found = _marks().match(name)
    if found is None and _WRAPPERS.search(name):
        found = _marks().match(_WRAPPERS.sub("", name))
    if found is None:
        return None
    return found["prefix"], next(dialect for dialect in DIALECTS if found[dialect] is not None)


@cache
def _marks() -> re.Pattern[str]:
    # One expression for all dialects: a state dict with 20,000 keys is scanned once. The modules before the mark are
    # possessive (`*+`), so that a key without a mark fails in linear time.
    dialects = "|".join(f"(?P<{name}>{dialect.names.mark})" for name, dialect in DIALECTS.items())
    return re.compile(rf"(?P<prefix>(?:[^.]*+\.){{0,{MAX_WRAPPERS}}}?)(?:{dialects})", re.DOTALL)


def _without_wrappers(name: str, prefix: str) -> str:
    """A network's own key."""
    key = name[len(prefix) :]
    return _WRAPPERS.sub("", f".{key}")[1:] if "_mod" in key else key


def _divided(names: Collection[str], prefixes: Collection[str]) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Names by their longest prefix; and those that have none, with the prefixes nearest to them."""
    # `student.fc` is beside `student.net`, not beside `teacher.net`.
    longest = sorted(prefixes, key=len, reverse=True)
    steps = {prefix: prefix.split(".") for prefix in prefixes}
    divided: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    outside: dict[str, set[str]] = {}
    for name in names:
        prefix = next((prefix for prefix in longest if name.startswith(prefix)), None)
        if prefix is not None:
            divided[prefix].append(name)
            continue
        around = name.split(".", MAX_WRAPPERS)
        shared = {prefix: _count_shared(around, steps[prefix]) for prefix in prefixes}
        most = max(shared.values(), default=0)
        outside[name] = {prefix for prefix, count in shared.items() if count == most}
    return divided, outside


def _count_shared(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
