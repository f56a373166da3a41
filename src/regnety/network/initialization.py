"""Initial weights: timm's way, which `create_model` takes, and pycls's way, which the paper trained with."""

import math
from typing import Literal, get_args

import torch
from torch import nn

from regnety.network.blocks import Bottleneck

Initialization = Literal["timm", "pycls"]


def initialize(model: nn.Module, scheme: Initialization = "timm", *, generator: torch.Generator | None = None) -> None:
    """Fill a model's weights in place. Both schemes draw normal weights, with zero biases and unit norms.

    Args:
        model: the network, just built; on the meta device there is nothing to fill.
        scheme: "timm" divides a convolution's fan-out by its groups and zeroes the last norm of each block (timm
            `regnet.py`); "pycls" does neither (pycls `models/blocks.py::init_weights`).
        generator: where the numbers come from; None is torch's global generator.

    Raises:
        ValueError: there is no such scheme.
    """
    if scheme not in get_args(Initialization):
        raise ValueError(f"initialization must be one of {', '.join(get_args(Initialization))}, got {scheme!r}")
    if all(parameter.is_meta for parameter in model.parameters()):
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            if scheme == "timm":
                fan_out //= module.groups
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out), generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            initialize_classifier(module, generator=generator)
    if scheme == "timm":
        for module in model.modules():
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.conv3.bn.weight)


def initialize_classifier(classifier: nn.Linear, *, generator: torch.Generator | None = None) -> None:
    """Fill a classifier in place, which both schemes draw alike: a deviation of 0.01 and no bias."""
    nn.init.normal_(classifier.weight, 0.0, 0.01, generator=generator)
    nn.init.zeros_(classifier.bias)
