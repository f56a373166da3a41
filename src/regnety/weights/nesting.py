"""Where in a file the state dict stands: the tables that training programs put around it.

A state dict is a table of tensors under names with a dot. It is looked for at the top and under the names below, one
in the other; optimizers, scalers and schedulers stand under other names and are never looked into.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from regnety.errors import WeightsError
from regnety.weights.dialects.listing import listed
from regnety.weights.files.arrays import StoredTensor, shown
from regnety.weights.files.content import Opaque

BEST = ("best",)
"""What a run of `regnety train` would keep if it ended now, in its own checkpoints."""
AVERAGED = ("state_dict_ema", "model_ema", "ema_state", "ema_state_dict", "ema_model_state_dict", "ema_model", "ema")
"""Weights averaged over the training (EMA), as timm, pycls, VISSL and others call them."""
RAW = ("state_dict", "model", "model_state", "model_state_dict", "net", "weights", "params", "module")
"""Weights as the last step left them."""
CLASSY = ("classy_state_dict", "base_model")
"""What VISSL and ClassyVision put around them."""
NAMES = (*BEST, *AVERAGED, *RAW, *CLASSY)
MOST_HEADS = 4
"""Of a trunk, and of one of its blocks; a classifier is one."""
MAX_DEPTH = 8
"""Tables around a state dict; VISSL's has three."""

FACTS = (
    *("arch", "architecture", "num_classes", "epoch", "iteration", "global_step", "phase_idx"),
    *("metric", "best_metric", "best_acc1", "test_err", "ema_err"),
)
SETTINGS = ("args", "hyper_parameters", "config", "cfg", "progression")
"""Tables of a training's settings, and of how far it has come."""
SETTING_FACTS = (
    *("model", "arch", "num_classes", "img_size", "image_size", "input_size", "crop_pct", "crop_mode"),
    *("interpolation", "mean", "std", "val_crop_size", "val_resize_size"),
    *("epochs_done", "best_epoch", "best_top1"),
)
LONGEST_TEXT = 200
LONGEST_LIST = 8
LARGEST_NUMBER = 1 << 63
"""Python refuses to print whole numbers of some thousand digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The state dict of a file."""

    name: str
    """Where it stands, `state_dict_ema` or `classy_state_dict.base_model.model`; empty where it is the whole file."""
    tensors: Mapping[str, StoredTensor]
    """Its tensors in order; what else it holds is left out."""
    others: tuple[str, ...]
    """Where other state dicts stand: mostly the raw weights beside the averaged ones."""
    facts: dict[str, Any]
    """What the file says of its weights: `epoch`, `args.model` and so on, numbers, texts and short lists of them."""


def find_state_dict(content: object, *, source: str) -> Part:
    """Find the weights in what a file holds.

    Averaged weights win over raw ones, as in timm, except where pycls has measured that they are no better.

    Args:
        content: tables, lists and plain values, with `StoredTensor`s as leaves; they may contain each other.
        source: the file, which messages begin with.

    Raises:
        WeightsError: there is no state dict.
    """
    parts = list(_parts(content))
    if not parts:
        raise WeightsError(f"{source}: {_why_none(content)}")
    parts.sort(key=lambda part: _rank(part[0], content))
    (name, tensors), *others = parts
    return Part(name=name, tensors=tensors, others=tuple(other for other, _ in others), facts=_facts(content))


def _parts(content: object) -> Iterator[tuple[str, dict[str, StoredTensor]]]:
    """Every state dict and where it stands; no table is looked into twice, so that circles end."""
    seen: set[int] = set()
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), content)])
    while waiting:
        path, table = waiting.popleft()
        if not isinstance(table, Mapping) or id(table) in seen:
            continue
        seen.add(id(table))
        tensors = _trunk_and_heads(table) or _tensors(table)
        if any("." in key for key in tensors):
            yield ".".join(path), tensors
        elif len(path) < MAX_DEPTH:
            waiting += [((*path, name), table[name]) for name in NAMES if name in table]


def _tensors(table: object, prefix: str = "") -> dict[str, StoredTensor]:
    if not isinstance(table, Mapping):
        return {}
    return {
        f"{prefix}{key}": value
        for key, value in table.items()
        if isinstance(key, str) and isinstance(value, StoredTensor)
    }


def _trunk_and_heads(table: Mapping[Any, Any]) -> dict[str, StoredTensor]:
    """VISSL saves its model in two parts; here under the keys that the model's own state dict has.

    ClassyVision's heads stand under the block to which they are attached, each under its own name.
    """
    tensors = {**_tensors(table.get("trunk"), "trunk."), **_tensors(table.get("heads"), "heads.")}
    for block, heads in _named_tables(table.get("heads")):
        for name, head in _named_tables(heads):
            tensors |= _tensors(head, f"heads.{block}.{name}.")
    return tensors


def _named_tables(table: object) -> list[tuple[str, Mapping[Any, Any]]]:
    """The first few tables in a table; what a file repeats without end is not followed without end."""
    if not isinstance(table, Mapping):
        return []
    named = ((key, value) for key, value in table.items() if isinstance(key, str) and isinstance(value, Mapping))
    return [(key[:LONGEST_TEXT], value) for key, value in islice(named, MOST_HEADS)]


def _rank(name: str, content: object) -> int:
    """0 for averaged weights, 1 for raw ones, 2 for an average that pycls has measured to be no better.

    pycls writes an average even where it keeps none, with an error of 100, and itself takes the better of the two.
    """
    if not any(step in AVERAGED for step in name.split(".")):
        return 1
    if name == "ema_state" and isinstance(content, Mapping):
        raw, averaged = content.get("test_err"), content.get("ema_err")
        if isinstance(raw, int | float) and isinstance(averaged, int | float) and raw <= averaged:
            return 2
    return 0


def _facts(content: object) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        return {}
    facts = {name: content[name] for name in FACTS if name in content}
    for table in SETTINGS:
        settings = content.get(table)
        if isinstance(settings, Opaque):  # timm's is a Namespace, with attributes; VISSL's a kind of dict, with items
            settings = settings.items or settings.state
        if isinstance(settings, Mapping):
            facts |= {f"{table}.{name}": settings[name] for name in SETTING_FACTS if name in settings}
    return {name: value for name, value in facts.items() if _is_plain(value)}


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
    network = next((value for value in (content, *map(tables.get, NAMES)) if isinstance(value, Opaque)), None)
    if network is not None:
        return f"holds an object of the class {shown(network.name)}, which is code; save its state_dict() instead"
    return f"holds no state dict, that is tensors under names as stem.conv.weight; it is {_kind(content)}"


def _kind(content: object) -> str:
    if isinstance(content, StoredTensor):
        return "one tensor"
    if isinstance(content, Mapping):
        return f"a table of {listed(content)}" if content else "an empty table"
    if isinstance(content, list | tuple):
        return f"a list of {len(content)}"
    return f"a value of type {type(content).__name__}"
