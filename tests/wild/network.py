"""The network that all the files are of, under its own names and under those of other programs."""

import copy
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from numerics import lively_network
from regnety.architecture.design import Design
from regnety.network.arrays import numpy_weights
from regnety.network.modules import RegNet
from regnety.weights.dialects.registry import DIALECTS, in_dialect

DESIGN = Design(depth=5, w0=8, wa=12, wm=2, group_width=8)
"""Four stages of 8, 16, 32 and 64 channels, which every program can build."""
CLASSES = ("ant", "bee", "cicada", "dragonfly", "earwig", "fly", "gnat", "hornet", "ichneumon", "jewel beetle")
ARGUMENTS: dict[str, Any] = {"depth": 5, "w0": 8, "wa": 12, "wm": 2, "group_size": 8}
"""timm's, of the design."""
State: TypeAlias = dict[str, Tensor]


@cache
def network(num_classes: int = len(CLASSES), in_chans: int = 3, *, seed: int = 0) -> RegNet:
    """In eval mode, sure of its answers. Seed 0 is what is to be found; others stand beside it in a file."""
    with torch.inference_mode(False), torch.no_grad():  # wherever it is first asked for, it can be trained after
        made = lively_network(DESIGN, seed=seed, num_classes=num_classes, in_chans=in_chans)
        if num_classes:
            made.head.fc.weight.mul_(30)
    return made


def state(*, seed: int = 0) -> State:
    """With timm's keys."""
    return network(seed=seed).state_dict()


def theirs(dialect: str, *, seed: int = 0, num_classes: int = len(CLASSES)) -> State:
    """With another program's keys; `tests/weights/dialects` holds them against the programs."""
    source = network(num_classes, seed=seed)
    tensors = in_dialect(DIALECTS[dialect], source.architecture, numpy_weights(source))
    return OrderedDict((key, torch.from_numpy(np.array(tensor.read()))) for key, tensor in tensors.items())


def saved(content: Any, path: Path, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def optimizer() -> dict[str, Any]:
    """The state of an optimizer after a step, as large as the weights."""
    module = copy.deepcopy(network())
    momentum = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    momentum.step()
    return momentum.state_dict()
