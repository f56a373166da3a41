"""The paper's mathematics: from six numbers to the width and depth of each stage, and groups that fit it.

Radosavovic et al. (arXiv:2003.13678), section 3.3. Python's `float` and `round` (half to even) are part of the
definition: float32 arithmetic, or halves rounded up, give other widths for some designs.
"""

import math
from itertools import groupby
from typing import NamedTuple


class FittedWidth(NamedTuple):
    """A stage's channels after groups were fitted."""

    width: int
    """Channels of a block's output."""
    inner_width: int
    """Channels of its 3x3 convolution, a multiple of `group_width`."""
    group_width: int
    """Channels in each group."""


def block_widths(depth: int, w0: int, wa: float, wm: float, *, quantum: int) -> list[int]:
    """Channels of each block, first to last: `depth` numbers that never decrease (equations 2 to 4)."""

    def width(j: int) -> int:
        continuous = w0 + wa * j  # u_j
        step = round(math.log(continuous / w0) / math.log(wm))  # round(s_j)
        return round(w0 * wm**step / quantum) * quantum  # w_j

    return [width(j) for j in range(depth)]


def group_stages(widths: list[int]) -> list[tuple[int, int]]:
    """Neighbouring blocks of one width form a stage: its (width, depth), before groups are fitted."""
    return [(width, len(list(blocks))) for width, blocks in groupby(widths)]


def fit_groups(width: int, bottleneck_multiplier: float, group_width: int, group_min_ratio: float) -> FittedWidth:
    """Move a stage's width to the nearest one whose inner width is a multiple of the group width.

    Args:
        width: channels asked for.
        bottleneck_multiplier: n or 1/n for a whole n.
        group_width: channels in a group; capped at the inner width.
        group_min_ratio: 0 rounds to the nearest multiple (pycls `adjust_block_compatibility`, timm). Above 0,
            halves go up and a result below this share of the inner width takes one group more (torchvision
            `_make_divisible`, which has 0.9).

    Returns:
        The fitted widths. `width * bottleneck_multiplier` may differ from `inner_width` with torchvision's rule and
        a multiplier above 1; such a stage cannot be built, and whoever calls this refuses it.
    """
    # Whole-number arithmetic: width * (1 / 49) in floats can fall short of a whole number and lose a channel.
    expansion = round(bottleneck_multiplier) if bottleneck_multiplier >= 1 else 1
    reduction = 1 if bottleneck_multiplier >= 1 else round(1 / bottleneck_multiplier)
    inner = max(1, width * expansion // reduction)  # v
    group = min(group_width, inner)  # g'
    if group_min_ratio > 0:
        fitted = max(group, int(inner + group / 2) // group * group)
        if fitted < group_min_ratio * inner:
            fitted += group
    else:
        multiple = math.lcm(group, expansion)
        fitted = max(multiple, round(inner / multiple) * multiple)
    return FittedWidth(fitted * reduction // expansion, fitted, group)
