"""The two kinds of design: `Design`, six numbers, and `AnyNetDesign`, a table of stages.

Radosavovic et al., "Designing Network Design Spaces" (arXiv:2003.13678), sections 3.2 to 3.4.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from regnety.architecture import validation
from regnety.architecture.description import AnyDesign
from regnety.architecture.stages import (
    MAX_DEPTH,
    MAX_STRIDE,
    MAX_WIDTH,
    StageDesign,
    assign,
    block_widths,
    group_stages,
)
from regnety.errors import InvalidDesignError

WIDTH_QUANTUM = 8  # q in generate_regnet of pycls
"""Widths of a `Design` are rounded to a multiple of this many channels, before groups are fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design(AnyDesign):
    """The linear parameterisation of a RegNet (paper, equations 2 to 4).

    Raises:
        InvalidDesignError: a parameter is out of range; the message names it.
    """

    depth: int
    """Blocks in the whole network (paper: d), 1 to 4096."""
    w0: int
    """Width of the first block in channels, a positive multiple of 8 (paper: w_0)."""
    wa: float
    """Slope: channels that each block adds to the one before it, at least 0 (paper: w_a)."""
    wm: float
    """Factor between the widths of neighbouring stages, above 1 (paper: w_m)."""
    group_width: int
    """Channels in a group of the 3x3 convolution (paper: g)."""
    bottleneck_multiplier: float = 1.0
    """Inner width over block width, n or 1/n for a whole n (the paper's b is its inverse)."""
    se_ratio: float = 0.25
    """Squeeze width over the width that enters the block; 0 means no squeeze-excitation (RegNetX)."""
    stem_width: int = 32
    """Channels of the stem."""
    stem_stride: int = 2
    """Stride of the stem; 1 for pictures of 32 pixels or so."""
    stage_strides: tuple[int, ...] | None = None
    """Stride of each stage's first block; None is 2 for every stage."""
    group_min_ratio: float = 0.0
    """How groups are fitted: 0 is the paper's and timm's rule, 0.9 torchvision's (`stages.fit_groups`)."""

    def __post_init__(self) -> None:
        assign(self, "depth", validation.whole("depth", self.depth, 1, MAX_DEPTH))
        assign(self, "w0", validation.whole("w0", self.w0, 1, MAX_WIDTH))
        if self.w0 % WIDTH_QUANTUM:
            raise InvalidDesignError(f"w0 must be a positive multiple of {WIDTH_QUANTUM} channels, got {self.w0}")
        assign(self, "wa", validation.real("wa", self.wa, 0, MAX_WIDTH))
        assign(self, "wm", validation.real("wm", self.wm, 1, MAX_WIDTH, above=True))
        assign(self, "group_width", validation.whole("group_width", self.group_width, 1, MAX_WIDTH))
        multiplier = validation.multiplier("bottleneck_multiplier", self.bottleneck_multiplier)
        assign(self, "bottleneck_multiplier", multiplier)
        self._check_shared()
        # before the widths are computed, which would be numbers of any length
        if self.w0 + self.wa * (self.depth - 1) > MAX_WIDTH:
            raise InvalidDesignError(f"wa {self.wa:g} passes {MAX_WIDTH} channels at depth {self.depth}; lower either")
        grouped = self.grouped_widths()
        if grouped[-1][0] > MAX_WIDTH:  # rounding s_j up multiplies by up to the square root of wm
            raise InvalidDesignError(f"wm {self.wm:g} rounds a width up to {grouped[-1][0]} channels, over {MAX_WIDTH}")
        if self.stage_strides is not None:
            strides = validation.strides("stage_strides", self.stage_strides, len(grouped), MAX_STRIDE)
            assign(self, "stage_strides", strides)
        self._check_squeeze()

    def grouped_widths(self) -> list[tuple[int, int]]:
        """(width, depth) of each stage before groups are fitted."""
        return group_stages(block_widths(self.depth, self.w0, self.wa, self.wm, quantum=WIDTH_QUANTUM))

    def fitted_stages(self) -> tuple[StageDesign, ...]:
        """The stages that the six numbers stand for, with widths and group widths fitted to each other."""
        return _linear_stages(self)

    def paper_violations(self) -> tuple[str, ...]:
        """Which of the paper's restrictions on RegNetX and RegNetY this design breaks, a sentence each."""
        # section 4: b = 1, 12 <= d <= 28 and wm >= 2; all 24 models of the paper keep them
        violations = _multiplier_and_depth_violations(self.bottleneck_multiplier, self.depth)
        if self.wm < 2:
            violations.append(f"wm is {self.wm:g}, the paper has wm >= 2")
        return tuple(violations)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `design_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.stage_strides is not None:
            values["stage_strides"] = list(self.stage_strides)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyNetDesign(AnyDesign):
    """A network whose stages are given one by one: the paper's AnyNet, and what other people's checkpoints need.

    Raises:
        InvalidDesignError: a parameter is out of range; the message names it.
    """

    stages: tuple[StageDesign, ...]
    """At least one stage, with the widths asked for; groups are fitted by the same rule as a `Design`'s."""
    se_ratio: float = 0.25
    """Squeeze width over the width that enters the block; 0 means no squeeze-excitation."""
    stem_width: int = 32
    """Channels of the stem."""
    stem_stride: int = 2
    """Stride of the stem."""
    group_min_ratio: float = 0.0
    """How groups are fitted: 0 is the paper's and timm's rule, 0.9 torchvision's (`stages.fit_groups`)."""

    def __post_init__(self) -> None:
        if not isinstance(self.stages, list | tuple) or not self.stages:
            raise InvalidDesignError(f"stages must be at least one StageDesign, got {self.stages!r}")
        for stage in self.stages:
            if not isinstance(stage, StageDesign):
                raise InvalidDesignError(f"each of stages must be a StageDesign, got {stage!r}")
        assign(self, "stages", tuple(self.stages))
        if self.depth > MAX_DEPTH:
            raise InvalidDesignError(f"stages must hold at most {MAX_DEPTH} blocks together, got {self.depth}")
        self._check_shared()
        self._check_squeeze()

    @property
    def depth(self) -> int:
        """Blocks in the whole network (paper: d)."""
        return sum(stage.depth for stage in self.stages)

    def fitted_stages(self) -> tuple[StageDesign, ...]:
        """The stages with widths and group widths fitted to each other."""
        return tuple(stage.fitted(self.group_min_ratio) for stage in self.stages)

    def paper_violations(self) -> tuple[str, ...]:
        """Which of the paper's restrictions on RegNetX and RegNetY this design breaks, a sentence each."""
        multiplier = next((s.bottleneck_multiplier for s in self.stages if s.bottleneck_multiplier != 1), 1.0)
        linear = "the stages are given one by one, the paper's RegNets follow w0, wa and wm"
        return (linear, *_multiplier_and_depth_violations(multiplier, self.depth))

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `design_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["stages"] = [stage.as_dict() for stage in self.stages]
        return values


# Each design asks for its stages when it is checked, described and compared with a checkpoint, 80 µs each time.
@lru_cache(maxsize=256)
def _linear_stages(design: Design) -> tuple[StageDesign, ...]:
    grouped = design.grouped_widths()
    strides = design.stage_strides or (2,) * len(grouped)
    return tuple(
        StageDesign(
            width=width,
            depth=depth,
            bottleneck_multiplier=design.bottleneck_multiplier,
            group_width=design.group_width,
            stride=stride,
        ).fitted(design.group_min_ratio)
        for (width, depth), stride in zip(grouped, strides, strict=True)
    )


def _multiplier_and_depth_violations(multiplier: float, depth: int) -> list[str]:
    violations = []
    if multiplier != 1:
        violations.append(f"bottleneck_multiplier is {multiplier:g}, the paper has b = 1")
    if not 12 <= depth <= 28:
        violations.append(f"depth is {depth}, the paper has 12 <= d <= 28")
    return violations
