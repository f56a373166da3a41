"""Stages, and the paper's mathematics: from six numbers to each stage's width and depth, and groups that fit it.

Radosavovic et al. (arXiv:2003.13678), section 3.3. Python's `float` and `round` (half to even) are part of the
definition: float32 arithmetic, or halves rounded up, give other widths for some designs.
"""

import math
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, NamedTuple

from regnety.architecture import validation
from regnety.errors import InvalidDesignError

MAX_DEPTH = 4096
MAX_WIDTH = 1 << 20
MAX_STRIDE = 64
"""Bounds far above any network, so that a hostile file cannot ask for one that never ends."""
# The largest published RegNet has 27 blocks and 7,392 channels (regnety_1280)


class FittedWidth(NamedTuple):
    """A stage's channels after fitting to groups."""

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
        step = round(math.log(continuous / w0) / math.log(wm))  # round(s_j), halves to even
        return round(w0 * wm**step / quantum) * quantum  # w_j

    return [width(j) for j in range(depth)]


def group_stages(widths: list[int]) -> list[tuple[int, int]]:
    """(width, depth) of each stage before fitting to groups: neighbouring blocks of one width form a stage."""
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
        a multiplier above 1; such a stage cannot be built, and the caller refuses it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDesign:
    """One stage of an AnyNet: `depth` blocks of one width, the first of which has the stride."""

    width: int
    """Channels of every block's output (paper: w_i)."""
    depth: int
    """Number of blocks (paper: d_i)."""
    bottleneck_multiplier: float = 1.0
    """Inner width over block width, n or 1/n for a whole n (the paper's b_i is its inverse)."""
    group_width: int
    """Channels in a group of the 3x3 convolution (paper: g_i)."""
    stride: int = 2
    """Stride of the first block."""

    def __post_init__(self) -> None:
        assign(self, "width", validation.whole("width", self.width, 1, MAX_WIDTH))
        assign(self, "depth", validation.whole("depth", self.depth, 1, MAX_DEPTH))
        assign(self, "group_width", validation.whole("group_width", self.group_width, 1, MAX_WIDTH))
        assign(self, "stride", validation.whole("stride", self.stride, 1, MAX_STRIDE))
        multiplier = validation.multiplier("bottleneck_multiplier", self.bottleneck_multiplier)
        assign(self, "bottleneck_multiplier", multiplier)

    @property
    def inner_width(self) -> int:
        """Channels of the 3x3 convolution (paper: w_i / b_i)."""
        return max(1, round(self.width * self.bottleneck_multiplier))

    def fitted(self, group_min_ratio: float) -> "StageDesign":
        """This stage with width and group width fitted to each other (`fit_groups`).

        Raises:
            InvalidDesignError: no width fits, as can happen with torchvision's rule and a multiplier above 1.
        """
        fit = fit_groups(self.width, self.bottleneck_multiplier, self.group_width, group_min_ratio)
        stage = StageDesign(
            width=max(1, fit.width),
            depth=self.depth,
            bottleneck_multiplier=self.bottleneck_multiplier,
            group_width=fit.group_width,
            stride=self.stride,
        )
        if stage.inner_width % fit.group_width:
            raise InvalidDesignError(
                f"group_width {fit.group_width} does not divide the inner width {stage.inner_width} that width "
                f"{stage.width} and bottleneck_multiplier {self.bottleneck_multiplier:g} give; allowed: a group_width "
                "that divides it, or group_min_ratio=0"
            )
        return stage

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def assign(design: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass while it is being made."""
    object.__setattr__(design, name, value)
