"""All dialects by name, and weights from any of them to ours and back. Nothing is read but names and shapes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, islice

import numpy as np

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.listing import listed
from regnety.weights.dialects.pycls import PYCLS
from regnety.weights.dialects.timm import TIMM
from regnety.weights.dialects.torchvision import TORCHVISION
from regnety.weights.dialects.transformers import TRANSFORMERS
from regnety.weights.dialects.vissl import VISSL
from regnety.weights.files.arrays import Array, StoredTensor, stored, tensor_of
from regnety.weights.fitting import check_fit

DIALECTS = {dialect.name: dialect for dialect in (TIMM, PYCLS, TORCHVISION, TRANSFORMERS, VISSL)}

STEM_WEIGHT = "stem.conv.weight"
COUNTERS = ("n_averaged", "total_ops", "total_params")
"""What torch's AveragedModel and thop add to a state dict: the last part of such keys."""
MAX_WRAPPERS = 8
"""Modules around a network, far above any, so that a hostile key with a million dots takes no time."""
MAX_SEARCHED = 1000
"""Keys of another network that are searched for a RegNet inside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The weights of a file under our keys."""

    dialect: Dialect
    """Whose names they had."""
    tensors: dict[str, StoredTensor]
    """Our keys to tensors, in the file's order; the stem takes red, green, blue."""
    prefix: str
    """What all names began with, `module._orig_mod.` for instance; mostly nothing."""
    passed_over: tuple[str, ...]
    """Keys of the file that no network needs."""


def translate(tensors: Mapping[str, StoredTensor], *, source: str) -> Translation:
    """A state dict in any dialect as ours.

    Args:
        tensors: its keys to tensors; wrappers that all keys share, as `module.`, are taken off.
        source: the file, which messages begin with.

    Raises:
        WeightsError: it is no RegNet's, or has keys that none has, or two for one of ours.
    """
    passed_over = [key for key in tensors if key.rpartition(".")[2] in COUNTERS]
    names = [key for key in tensors if key.rpartition(".")[2] not in COUNTERS]
    prefix, dialect = _recognise(names, source=source)
    theirs: dict[str, str] = {}
    unknown = []
    for name in names:
        try:
            ours = dialect.our_key(name.removeprefix(prefix))
        except KeyError:
            unknown.append(name)
            continue
        if ours is None:
            passed_over.append(name)
        elif ours in theirs:
            raise WeightsError(f"{source}: {listed([theirs[ours], name])} are both {ours}")
        else:
            theirs[ours] = name
    if unknown:
        raise WeightsError(f"{source}: its keys are {dialect.owner}, but no RegNet has {listed(unknown)}")
    translated = {ours: tensors[name] for ours, name in theirs.items()}
    if dialect.bgr_input and STEM_WEIGHT in translated:
        shape = translated[STEM_WEIGHT].shape
        if len(shape) != 4 or shape[1] != 3:
            raise WeightsError(
                f"{source}: {theirs[STEM_WEIGHT]} is {shape}; {dialect.owner} stems take 3 channels: blue, green, red"
            )
        translated[STEM_WEIGHT] = _reversed(translated[STEM_WEIGHT])
    return Translation(dialect=dialect, tensors=translated, prefix=prefix, passed_over=tuple(passed_over))


def in_dialect(dialect: Dialect, architecture: Architecture, weights: Mapping[str, Array]) -> dict[str, StoredTensor]:
    """Our weights under a dialect's keys, in the order of its own state dict; each is read when it is asked for.

    Counters of batch norm (`num_batches_tracked`) that the weights lack are 0.

    Args:
        dialect: one of `DIALECTS`.
        architecture: what the weights are of.
        weights: our keys to arrays.

    Raises:
        WeightsError: the other program cannot build the architecture, or the weights do not fit it.
    """
    obstacle = dialect.obstacle(architecture)
    if obstacle is not None:
        raise WeightsError(f"{dialect.name} cannot express it: {obstacle}")
    check_fit(architecture, weights, source="the weights")
    tensors = {}
    for theirs, ours in dialect.their_keys(architecture).items():
        tensor = tensor_of(weights, ours) if ours in weights else stored(np.zeros((), np.int64))
        tensors[theirs] = _reversed(tensor) if dialect.bgr_input and ours == STEM_WEIGHT else tensor
    return tensors


def _recognise(names: Collection[str], *, source: str) -> tuple[str, Dialect]:
    """What all names begin with before a RegNet's begin, and whose names those are.

    Raises:
        WeightsError: they are no RegNet's.
    """
    for prefix in _shared_prefixes(names):
        keys = [name.removeprefix(prefix) for name in names]
        for dialect in DIALECTS.values():
            if dialect.recognises(keys):
                return prefix, dialect
    if not names:
        raise WeightsError(f"{source}: holds no weights")
    few = islice(names, MAX_SEARCHED)
    inner = next((prefix for name in few for prefix in _prefixes(name) if _is_regnet(name, prefix)), None)
    if inner is not None:
        others = [name for name in names if not name.startswith(inner)]
        raise WeightsError(
            f"{source}: holds a RegNet, whose keys begin with {listed([inner])}, and beside it {listed(others)}; "
            "save the RegNet's state dict alone"
        )
    *most, last = DIALECTS
    raise WeightsError(
        f"{source}: is no RegNet in the names of {', '.join(most)} or {last}; its keys are {listed(names)}"
    )


def _shared_prefixes(names: Collection[str]) -> Iterator[str]:
    """Nothing, and the wrappers that all names begin with."""
    yield ""
    for prefix in _prefixes(next(iter(names), "")):
        if not all(name.startswith(prefix) for name in names):
            return
        yield prefix


def _prefixes(name: str) -> Iterator[str]:
    """`a.`, `a.b.` of `a.b.c`."""
    *wrappers, _ = name.split(".", MAX_WRAPPERS)
    return accumulate(f"{wrapper}." for wrapper in wrappers)


def _is_regnet(name: str, prefix: str) -> bool:
    return any(dialect.recognises([name.removeprefix(prefix)]) for dialect in DIALECTS.values())


def _reversed(stem: StoredTensor) -> StoredTensor:
    """The stem's weights [width, 3, 3, 3] for colours in the other order; a copy: torch takes no negative strides."""
    return replace(stem, read=lambda: np.ascontiguousarray(stem.read()[:, ::-1]))
