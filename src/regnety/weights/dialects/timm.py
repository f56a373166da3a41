"""timm, whose names are ours. timm builds fewer designs than its names can express."""

import numpy as np

from regnety.architecture.description import Architecture
from regnety.architecture.design import WIDTH_QUANTUM, Design
from regnety.weights.dialects.dialect import Dialect, ModuleNames

MODULES = (
    *("conv1.conv", "conv1.bn", "conv2.conv", "conv2.bn", "se.fc1", "se.fc2", "conv3.conv", "conv3.bn"),
    *("downsample.conv", "downsample.bn"),
)

NAMES = ModuleNames(
    stem=("stem.conv", "stem.bn"),
    block="s{stage}.b{block}.",
    in_block={module: module for module in MODULES},
    head="head.fc",
    mark=r"s[0-9]+\.b[0-9]+\.(conv[123]|se|downsample)\.",
)


def _obstacle(architecture: Architecture) -> str | None:
    design, stages = architecture.design, architecture.stages
    if not isinstance(design, Design):
        return "its stages are given one by one, timm's follow w0, wa and wm"
    if len(stages) != 4:
        return f"it has {len(stages)} {'stage' if len(stages) == 1 else 'stages'}, timm's networks have 4"
    if architecture.stem.stride != 2 or any(stage.stride != 2 for stage in stages):
        return "its stem or stage strides are not 2"
    if _timm_stages(design) != [(stage.width, stage.depth, stage.group_width) for stage in stages]:
        return "timm rounds its widths differently"
    return None


def _timm_stages(design: Design) -> list[tuple[int, int, int]]:
    """Width, depth and group width of each stage as timm computes them (`models/regnet.py`)."""
    # Not our own functions: timm computes block widths in float32, truncates inner widths, ignores a multiplier above 1
    # when it rounds them to the group width, and applies torchvision's rule with 0.9 whatever the ratio. A few designs
    # get other widths there, and their files would not load.
    continuous = np.arange(design.depth, dtype=np.float32) * np.float32(design.wa) + np.float32(design.w0)
    exponents = np.round(np.log(continuous / np.float32(design.w0)) / np.float32(np.log(design.wm)))
    blocks = np.float32(design.w0) * np.power(np.float32(design.wm), exponents)
    widths, depths = np.unique(np.round(blocks / WIDTH_QUANTUM).astype(int) * WIDTH_QUANTUM, return_counts=True)
    stages = []
    for width, depth in zip(widths.tolist(), depths.tolist(), strict=True):
        inner = int(width * design.bottleneck_multiplier)
        group = max(1, min(design.group_width, inner))
        if design.group_min_ratio:
            fitted = max(group, int(inner + group / 2) // group * group)
            fitted += group if fitted < 0.9 * inner else 0
        else:
            fitted = round(inner / group) * group
        stages.append((int(fitted / design.bottleneck_multiplier), depth, group))
    return stages


TIMM = Dialect(
    name="timm",
    owner="timm's",
    names=NAMES,
    obstacle=_obstacle,
)
"""`s1.b1.conv1.conv.weight`."""
