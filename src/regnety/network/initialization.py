"""Initial weights: timm's scheme, the default of `create_model`, and pycls's, with which the paper trained."""

import math
from typing import Literal, get_args

import torch
from torch import nn

from regnety.network.blocks import Bottleneck

Initialization = Literal["timm", "pycls"]


def initialize(model: nn.Module, scheme: Initialization = "timm", *, generator: torch.Generator | None = None) -> None:
    """Fill a new model's weights in place. Both schemes draw normal weights; biases are 0, and norms keep 1 and 0.

    Args:
        model: the network; on the meta device there is nothing to fill.
        scheme: "timm" divides a convolution's fan-out by its groups and zeroes the last norm of each block (timm
            `regnet.py`); "pycls" does neither (pycls `models/blocks.py::init_weights`).
        generator: of the random numbers; None is torch's global one.

    Raises:
        ValueError: there is no such scheme.
    """
    if scheme not in get_args(Initialization):
        raise ValueError(f"initialization must be one of {', '.join(get_args(Initialization))}, got {scheme!r}")
    if all(parameter.is_meta for parameter in model.parameters()):
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            # He et al. 2015, fan-out: deviation sqrt(2 / (k * k * w_out)). In a grouped convolution each input feeds
            # only w_out / groups outputs, which timm takes into account and pycls does not.
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
                nn.init.zeros_(module.conv3.bn.weight)  # every block begins as the identity (Goyal et al. 2017)


def initialize_classifier(classifier: nn.Linear, *, generator: torch.Generator | None = None) -> None:
    """Fill a classifier in place, the same in both schemes: deviation 0.01, bias 0."""
    nn.init.normal_(classifier.weight, 0.0, 0.01, generator=generator)
    nn.init.zeros_(classifier.bias)
