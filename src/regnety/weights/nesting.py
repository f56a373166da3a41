"""Where the state dicts of a file are: in the tables that training programs put around them, under any name.

A state dict is a table of tensors under names with a dot. Every table of a file is searched, except those of
optimizers, schedulers and scalers: they may hold tensors of the same shapes, but not the weights.
"""

import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import Opaque
from regnety.text import excerpt, listed

NAMES = (
    "best",  # of `regnety train`, in its own checkpoints
    *("state_dict_ema", "model_ema", "ema_state", "ema_state_dict", "ema_model_state_dict", "ema_model", "ema"),
    *("state_dict", "model", "model_state", "model_state_dict", "net", "weights", "params", "module"),
    *("classy_state_dict", "base_model"),  # what VISSL and ClassyVision put around them
)
"""Known tables, in the order of preference if several hold the same network."""
AVERAGED = {"ema", "averaged", "average", "avg", "swa", "shadow", "polyak", "teacher"}
"""Words in the names of weights that are averaged over the training, or preferred for another reason (a teacher)."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NO_WEIGHTS = re.compile(r"optim|sched|scaler|grad", re.IGNORECASE)
"""Names of what only training needs."""
MOST_HEADS = 4
"""Heads of a trunk, and of one of its blocks; a classifier is one."""
# The next three bound the search: a file may nest tables without end, and share them so that there are 2**n ways.
MAX_DEPTH = 8
"""Tables around a state dict; VISSL's has three."""
MOST_IN_A_LIST = 64
"""Entries of a list that is searched; a cross-validation has some ten folds, a log may have millions of rows."""
LONGEST_NAME = 100
"""Characters of the name of a table that is searched."""

FACTS = (
    *("arch", "architecture", "num_classes", "epoch", "iteration", "global_step", "phase_idx"),
    *("metric", "best_metric", "best_acc1", "test_err", "ema_err"),
)
SETTINGS = ("args", "hyper_parameters", "config", "cfg", "progression")
"""Tables of a training's settings and of its progress."""
INPUT_FACTS = ("img_size", "image_size", "input_size", "crop_pct", "crop_mode", "interpolation", "mean", "std")
"""What a training says of its input, among its settings or beside the weights."""
SETTING_FACTS = (
    *("model", "arch", "num_classes"),
    *INPUT_FACTS,
    *("val_crop_size", "val_resize_size", "epochs_done", "best_epoch", "best_top1"),
)
LONGEST_TEXT = 200
LONGEST_LIST = 8
LARGEST_NUMBER = 1 << 63
"""Python refuses to print whole numbers of more than 4,300 digits."""


@dataclass(frozen=True, slots=True)
class StateDict:
    """A table of tensors in a file."""

    path: tuple[str, ...]
    """The tables around it; empty if it is the whole file."""
    tensors: Mapping[str, StoredTensor]
    """Its tensors in order, without anything else that it holds."""

    @property
    def name(self) -> str:
        """`state_dict_ema` or `classy_state_dict.base_model.model`; empty if it is the whole file."""
        return ".".join(self.path)


def find_state_dicts(content: object, *, source: str) -> list[StateDict]:
    """Find all tables that may hold a network's weights.

    Args:
        content: tables, lists and plain values, with `StoredTensor`s as leaves; a table may contain itself.
        source: the file, which messages begin with.

    Returns:
        Those with dots in the names of their tensors, as state dicts have; known ones and outer ones first.

    Raises:
        WeightsError: there is none.
    """
    found = sorted(_tables(content), key=lambda table: known_rank(table.path))
    if not any(map(_is_dotted, found)):
        raise WeightsError(f"{source}: {_why_none(content)}")
    return found


def _is_dotted(table: StateDict) -> bool:
    return any("." in key for key in table.tensors)


def known_rank(path: tuple[str, ...]) -> tuple[int, ...]:
    """The sorting key of tables: their order in `NAMES`, others after them."""
    return tuple(NAMES.index(name) if name in NAMES else len(NAMES) for name in path)


def role_rank(path: tuple[str, ...], content: object) -> int:
    """0 for the best of a training, 1 for averaged weights, 2 for raw ones, 3 for an average that is not better."""
    # pycls writes an average even if it keeps none, with an error of 100, and itself takes the better of the two.
    words = {word.lower() for name in path for word in _WORD.findall(name)}
    if "best" in words:
        return 0
    if not words & AVERAGED:
        return 2
    if path[-1] == "ema_state" and isinstance(content, Mapping):
        raw, averaged = content.get("test_err"), content.get("ema_err")
        if isinstance(raw, int | float) and isinstance(averaged, int | float) and raw <= averaged:
            return 3
    return 1


def _tables(content: object) -> Iterator[StateDict]:
    """Every table of tensors and its place; each is visited once, so that circles end."""
    seen: set[int] = set()
    # Breadth first: a table that a file has in two places is known by the outer one.
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), content)])
    while waiting:
        path, value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        table = value.items if isinstance(value, Opaque) else value
        if isinstance(table, list | tuple) and len(table) <= MOST_IN_A_LIST:
            table = {str(number): entry for number, entry in enumerate(table)}
        if not isinstance(table, Mapping) or {"state", "param_groups"} <= table.keys():  # the second is an optimizer's
            continue
        in_parts = _trunk_and_heads(table)
        tensors = in_parts or _tensors(table)
        if tensors:
            yield StateDict(path, tensors)
        if len(path) < MAX_DEPTH:
            inner = ((_name_of(key), entry) for key, entry in table.items() if isinstance(entry, _TABLES))
            apart = ("trunk", "heads") if in_parts else ()
            waiting += [((*path, name), entry) for name, entry in inner if name is not None and name not in apart]


_TABLES = (Mapping, list, tuple, Opaque)


def _name_of(key: object) -> str | None:
    """The name of a table to search; None if it is not searched."""
    if isinstance(key, int) and 0 <= key < MOST_IN_A_LIST:  # folds of a cross-validation, by number
        return str(key)
    if not isinstance(key, str) or len(key) > LONGEST_NAME or not key.isprintable():
        return None
    return None if _NO_WEIGHTS.search(key) else key


def _tensors(table: object, prefix: str = "") -> dict[str, StoredTensor]:
    if not isinstance(table, Mapping):
        return {}
    return {
        f"{prefix}{key}": value
        for key, value in table.items()
        if isinstance(key, str) and isinstance(value, StoredTensor)
    }


def _trunk_and_heads(table: Mapping[Any, Any]) -> dict[str, StoredTensor]:
    """VISSL's model, which it saves in two parts, under the keys of the model's own state dict."""
    # ClassyVision's heads are in a table of the block to which they are attached, each under its own name.
    tensors = {**_tensors(table.get("trunk"), "trunk."), **_tensors(table.get("heads"), "heads.")}
    for block, heads in _named_tables(table.get("heads")):
        for name, head in _named_tables(heads):
            tensors |= _tensors(head, f"heads.{block}.{name}.")
    return tensors


def _named_tables(table: object) -> list[tuple[str, Mapping[Any, Any]]]:
    """The first few tables in a table, however many a file has."""
    if not isinstance(table, Mapping):
        return []
    named = ((key, value) for key, value in table.items() if isinstance(key, str) and isinstance(value, Mapping))
    return [(key[:LONGEST_TEXT], value) for key, value in islice(named, MOST_HEADS)]


def facts_of(content: object) -> dict[str, Any]:
    """What a file says of its weights (`epoch`, `args.model` and so on): numbers, texts and short lists of them."""
    if not isinstance(content, Mapping):
        return {}
    facts = {name: content[name] for name in FACTS if name in content}
    if not any("." in key for key in _tensors(content)):  # else `mean` and `std` may be weights
        facts |= {name: _numbers(content[name]) for name in INPUT_FACTS if name in content}
    for table in SETTINGS:
        settings = content.get(table)
        if isinstance(settings, Opaque):  # timm's is a Namespace, VISSL's a subclass of dict
            settings = settings.items or settings.state
        if isinstance(settings, Mapping):
            facts |= {f"{table}.{name}": _numbers(settings[name]) for name in SETTING_FACTS if name in settings}
    return {name: value for name, value in facts.items() if _is_plain(value)}


def _numbers(value: object) -> object:
    """A small tensor, such as a mean, as a list of numbers; anything else unchanged."""
    if isinstance(value, StoredTensor) and math.prod(value.shape) <= LONGEST_LIST:
        with suppress(WeightsError):
            return value.read().reshape(-1).tolist()
    return value


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= LONGEST_LIST and all(
            not isinstance(item, list | tuple) and _is_plain(item) for item in value
        )
    if isinstance(value, int):
        return abs(value) <= LARGEST_NUMBER
    return isinstance(value, float) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def _why_none(content: object) -> str:
    tables = content if isinstance(content, Mapping) else {}
    # torch.save(model) saves the module itself: its weights are in attributes, under names that only its class knows.
    values = (content, *map(tables.get, NAMES), *islice(filter(_is_network, tables.values()), 1))
    network = next((value for value in values if isinstance(value, Opaque)), None)
    if network is not None:
        return f"holds an object of the class {excerpt(network.name)}, which is code; save its state_dict() instead"
    return f"holds no state dict, that is tensors under names like stem.conv.weight; it is {_kind(content)}"


def _is_network(value: object) -> bool:
    """Whether an object is a torch module, by its attributes."""
    return isinstance(value, Opaque) and isinstance(value.state, Mapping) and "_modules" in value.state


def _kind(content: object) -> str:
    if isinstance(content, StoredTensor):
        return "one tensor"
    if isinstance(content, Mapping):
        return f"a table of {listed(content)}" if content else "an empty table"
    if isinstance(content, list | tuple):
        return f"a list of {len(content)}"
    return f"a value of type {type(content).__name__}"
