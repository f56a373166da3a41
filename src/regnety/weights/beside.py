"""What a state dict holds beside its RegNet: the classifier under another name, what changes the answers, the rest.

Weights of a loss, counts of a metric or a temperature have no part in the answer and are passed over by name. What may
come between the picture and the answer is refused: tensors do not tell what it does.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor, same_values
from regnety.text import listed
from regnety.weights.design_from_shapes import stage_depths
from regnety.weights.networks import Network, StandsBetween
from regnety.weights.stem import STEM_WEIGHT

MOST_HEADS = 16
"""Heads beside a network that are considered; a multi-task model has a few."""
CLASSIFIER = "head.fc"
ENDS = ("weight", "bias")
HEADS = {"head", "heads", "fc", "classifier"}
"""Modules after the blocks of a network, in one dialect or another."""
_PRETEXT = re.compile(
    r"(?:^|\.)(?:(?P<whole>projection_head|proj_head|projection|projector|predictor|prototypes[0-9]*|mlp_head)\."
    r"|(?:mlp\.|last_layer\.(?:weight_[gv]$|parametrizations\.)))"
)
"""Heads of self-supervised training, which classify nothing: SimCLR's, BYOL's, SwAV's; and DINO's, by its layers."""
# Modules that normalise the picture inside of the model keep its mean and std: torchvision's, kornia's, many home-made.
_NORMALISATION = re.compile(r"(^|.*_)(mean|std)s?$")
# Generalised mean pooling has one learnt exponent: its shape is that of a temperature, so only the name can tell.
_POOLING = re.compile(r"(?:^|\.)(?:gem|[^.]*pool)[^.]*$", re.IGNORECASE)
_CHANGED = (
    (
        re.compile(r"fake_quant|activation_post_process|_packed_params|zero_point"),
        "is of a network with torch's quantization in it",
        "save the state dict of the network before it was prepared",
    ),
    (re.compile(r"weight_(orig|mask)$"), "is of a pruned network", "torch.nn.utils.prune.remove makes it whole"),
    (
        re.compile(r"\.parametrizations\.|\.weight_[gv]$"),
        "is of a network with parametrized weights",
        "torch.nn.utils.parametrize.remove_parametrizations makes them plain",
    ),
    (re.compile(r"lora_"), "is of a network with LoRA layers", "merge them into the weights"),
)
"""What tools put into the layers of a network: its keys, what it is, and what to do."""


def settle(
    network: Network, *, source: str, name: str, siblings: Mapping[str, StoredTensor], is_chosen: bool
) -> Network:
    """A network with its classifier, and with everything beside it passed over by name.

    Args:
        network: as it was found.
        source: the file, which messages begin with.
        name: what `--state-dict` calls it; empty if it has no name.
        siblings: tensors of the tables beside its state dict, such as `fc.weight`.
        is_chosen: the user has named it, so a head beside it is known not to be its own.

    Raises:
        WeightsError: it has layers that no RegNet has.
        StandsBetween: something beside it takes its pictures, its features or its answers; or it has two different
            classifiers.
    """
    beside = _without_pretext(network.beside)
    candidates = {**beside, **_without_pretext(siblings)}
    features = _num_features(network.tensors)
    modules = [] if features is None else list(islice(_classifiers(candidates, features), MOST_HEADS + 1))
    # A classifier under another name is taken over if it is the only one; where the network has one, a copy is allowed.
    own = _classifier_of(network.tensors, CLASSIFIER)
    head = own or (_classifier_of(candidates, modules[0]) if modules else {})
    same = [module for module in modules if _is_same(_classifier_of(candidates, module), head)]
    keys = [f"{module}.weight" for module in modules]
    if len(same) < len(modules) and not is_chosen and not own:
        raise StandsBetween(f"{source}: {listed(keys)} could each be the classifier, and are not the same{_out(name)}")
    used = {f"{module}.{end}" for module in same for end in ENDS}
    rest = {key: tensor for key, tensor in candidates.items() if key not in used}
    others = [f"{module}.weight" for module in modules if own and module not in same]
    if any(candidates[key].shape == head["weight"].shape for key in others) and not is_chosen:
        raise StandsBetween(
            f"{source}: its classifier and {listed(others)} differ; it is unclear which is meant{_out(name)}"
        )
    _check_layers(network, [key for key in rest if key in beside], source)
    pictures, others = _between(rest, network.tensors.get(STEM_WEIGHT), features, head.get("weight"))
    if pictures:
        raise StandsBetween(
            f"{source}: changes its pictures before its RegNet sees them ({listed(pictures)}), which is not read, and "
            "without it the answers would differ; save the RegNet's state dict alone"
        )
    if others and not is_chosen:
        raise StandsBetween(
            f"{source}: beside its RegNet it holds {listed([*([] if own else keys), *others])}, which may change its "
            f"answers{_out(name)}"
        )
    adopted = {} if own or others or len(same) < len(modules) else head  # else it was chosen without
    kept = {f"{modules[0]}.{end}" for end in adopted}
    return replace(
        network,
        tensors={**network.tensors, **{f"{CLASSIFIER}.{end}": tensor for end, tensor in adopted.items()}},
        passed_over=(*network.passed_over, *(key for key in network.beside if key not in kept)),
        beside={},
    )


def _out(name: str) -> str:
    return f"; --state-dict {listed([name])} takes the RegNet alone" if name else "; save the RegNet's state dict alone"


def _without_pretext(beside: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """All but heads that classify nothing; one layer of such a head says it of all of its layers."""
    modules: dict[str, None] = {}
    for key in beside:
        found = _PRETEXT.search(key)
        if found is not None:
            modules[key[: found.end()] if found["whole"] else key[: found.start() + 1]] = None
    heads = tuple(islice((module for module in modules if module.strip(".")), MOST_HEADS))
    return {key: tensor for key, tensor in beside.items() if not key.startswith(heads)}


def _num_features(tensors: Mapping[str, StoredTensor]) -> int | None:
    depths = stage_depths({key: tensor.shape for key, tensor in tensors.items()})
    last = tensors.get(f"s{len(depths)}.b{depths[-1]}.conv3.conv.weight") if depths else None
    return last.shape[0] if last is not None and last.shape else None


def _classifiers(beside: Mapping[str, StoredTensor], features: int) -> Iterator[str]:
    """Modules that may be a classifier: a weight [classes, features] and a bias [classes]."""
    for key, tensor in beside.items():
        module, _, name = key.rpartition(".")
        if name == "weight" and len(tensor.shape) == 2 and tensor.shape[1] == features:
            bias = beside.get(f"{module}.bias")
            if bias is not None and bias.shape == tensor.shape[:1]:
                yield module


def _classifier_of(tensors: Mapping[str, StoredTensor], module: str) -> dict[str, StoredTensor]:
    return {end: tensors[f"{module}.{end}"] for end in ENDS if f"{module}.{end}" in tensors}


def _is_same(one: Mapping[str, StoredTensor], other: Mapping[str, StoredTensor]) -> bool:
    return one.keys() == other.keys() and all(same_values(one[end], other[end]) for end in one)


def _check_layers(network: Network, beside: Collection[str], source: str) -> None:
    """Refuse keys in the network's own modules: they are of layers that were added to it."""
    own = network.modules | HEADS
    unknown = [
        key for key in beside if key.startswith(network.prefix) and key[len(network.prefix) :].partition(".")[0] in own
    ]
    if not network.tensors:
        unknown = unknown or list(beside)
    if not unknown:
        return
    for pattern, what, how in _CHANGED:
        changed = [key for key in unknown if pattern.search(key[-1000:])]  # the end of a key that may be hostile
        if changed:
            raise WeightsError(f"{source}: {what} ({listed(changed)}), which is not read; {how}")
    raise WeightsError(f"{source}: its keys are {network.dialect.owner}, but no RegNet has {listed(unknown)}")


def _between(
    beside: Mapping[str, StoredTensor], stem: StoredTensor | None, features: int | None, head: StoredTensor | None
) -> tuple[list[str], list[str]]:
    """Keys of what changes the pictures, and of what may take features or answers, by their names and shapes."""
    # A guess in the safe direction: a tensor that fits nowhere in the network's path (a loss's weight, an anchor table)
    # is passed over, one that would fit is refused.
    in_chans = stem.shape[1] if stem is not None and len(stem.shape) == 4 else 3
    wide = set() if features is None else {features, 2 * features}  # twice: average and maximum pooling, concatenated
    classes = {head.shape[0]} if head is not None and head.shape else set()
    pictures, others = [], []
    for key, tensor in beside.items():
        name, shape = key.rpartition(".")[2], tensor.shape
        is_weight = name.startswith("weight")
        if name == "running_mean":
            if shape == (in_chans,):
                pictures.append(key)
            elif shape and shape[0] in wide | classes:
                others.append(key)
        elif (_NORMALISATION.match(name) and math.prod(shape) in (1, in_chans)) or (
            is_weight and len(shape) == 4 and shape[0] == in_chans
        ):
            pictures.append(key)
        elif (is_weight and _takes(shape, wide, classes)) or _POOLING.search(key.rpartition(".")[0][-1000:]):
            others.append(key)
    return pictures, others


def _takes(shape: Sequence[int], wide: Collection[int], classes: Collection[int]) -> bool:
    """Whether a layer's weight takes features or answers as its input."""
    if len(shape) == 1:
        return shape[0] in wide
    return len(shape) > 1 and (shape[1] in wide or (len(shape) == 2 and shape[1] in classes))
