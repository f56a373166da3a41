"""The two ways to name a RegNet: `Design`, six numbers, and `AnyNetDesign`, a table of stages.

Radosavovic et al., "Designing Network Design Spaces" (arXiv:2003.13678), sections 3.2 to 3.4.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from regnety.architecture import validation
from regnety.architecture.widths import block_widths, fit_groups, group_stages
from regnety.errors import InvalidDesignError

if TYPE_CHECKING:
    from regnety.architecture.description import Architecture

WIDTH_QUANTUM = 8
"""Widths of a `Design` are rounded to a multiple of this many channels, before groups are fitted."""
MAX_DEPTH = 4096
MAX_WIDTH = 1 << 20
MAX_STRIDE = 64
"""Bounds far above any network, so that a hostile file cannot ask for one that never ends."""


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
        _assign(self, "width", validation.whole("width", self.width, 1, MAX_WIDTH))
        _assign(self, "depth", validation.whole("depth", self.depth, 1, MAX_DEPTH))
        _assign(self, "group_width", validation.whole("group_width", self.group_width, 1, MAX_WIDTH))
        _assign(self, "stride", validation.whole("stride", self.stride, 1, MAX_STRIDE))
        multiplier = validation.multiplier("bottleneck_multiplier", self.bottleneck_multiplier)
        _assign(self, "bottleneck_multiplier", multiplier)

    @property
    def inner_width(self) -> int:
        """Channels of the 3x3 convolution (paper: w_i / b_i)."""
        return max(1, round(self.width * self.bottleneck_multiplier))

    def fitted(self, group_min_ratio: float) -> "StageDesign":
        """This stage with width and group width fitted to each other (`widths.fit_groups`).

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The linear parameterisation of a RegNet (paper, equations 2 to 4).

    Raises:
        InvalidDesignError: a parameter is outside of what is allowed; the message names it.
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
    """How groups are fitted: 0 is the paper's and timm's rule, 0.9 torchvision's (`widths.fit_groups`)."""

    def __post_init__(self) -> None:
        _assign(self, "depth", validation.whole("depth", self.depth, 1, MAX_DEPTH))
        _assign(self, "w0", validation.whole("w0", self.w0, 1, MAX_WIDTH))
        if self.w0 % WIDTH_QUANTUM:
            raise InvalidDesignError(f"w0 must be a positive multiple of {WIDTH_QUANTUM} channels, got {self.w0}")
        _assign(self, "wa", validation.real("wa", self.wa, 0, MAX_WIDTH))
        _assign(self, "wm", validation.real("wm", self.wm, 1, MAX_WIDTH, above=True))
        _assign(self, "group_width", validation.whole("group_width", self.group_width, 1, MAX_WIDTH))
        multiplier = validation.multiplier("bottleneck_multiplier", self.bottleneck_multiplier)
        _assign(self, "bottleneck_multiplier", multiplier)
        _check_shared(self)
        if self.w0 + self.wa * (self.depth - 1) > MAX_WIDTH:
            raise InvalidDesignError(f"wa {self.wa:g} passes {MAX_WIDTH} channels at depth {self.depth}; lower either")
        grouped = self.grouped_widths()
        if grouped[-1][0] > MAX_WIDTH:  # rounding s_j up multiplies by up to the square root of wm
            raise InvalidDesignError(f"wm {self.wm:g} rounds a width up to {grouped[-1][0]} channels, over {MAX_WIDTH}")
        if self.stage_strides is not None:
            strides = validation.strides("stage_strides", self.stage_strides, len(grouped), MAX_STRIDE)
            _assign(self, "stage_strides", strides)
        _check_squeeze(self, self.fitted_stages())

    def grouped_widths(self) -> list[tuple[int, int]]:
        """(width, depth) of each stage before groups are fitted."""
        return group_stages(block_widths(self.depth, self.w0, self.wa, self.wm, quantum=WIDTH_QUANTUM))

    def fitted_stages(self) -> tuple[StageDesign, ...]:
        """The stages that the six numbers stand for, with widths and group widths fitted to each other."""
        grouped = self.grouped_widths()
        strides = self.stage_strides or (2,) * len(grouped)
        return tuple(
            StageDesign(
                width=width,
                depth=depth,
                bottleneck_multiplier=self.bottleneck_multiplier,
                group_width=self.group_width,
                stride=stride,
            ).fitted(self.group_min_ratio)
            for (width, depth), stride in zip(grouped, strides, strict=True)
        )

    def paper_violations(self) -> tuple[str, ...]:
        """Which of the paper's restrictions on RegNetX and RegNetY this design leaves, a sentence each.

        They are b = 1, 12 <= d <= 28 and wm >= 2 (section 4); all 24 models of the paper keep them.
        """
        violations = _multiplier_and_depth_violations(self.bottleneck_multiplier, self.depth)
        if self.wm < 2:
            violations.append(f"wm is {self.wm:g}, the paper has wm >= 2")
        return tuple(violations)

    def architecture(self, num_classes: int = 1000, in_chans: int = 3) -> "Architecture":
        """Spell the design out, layer by layer.

        Args:
            num_classes: outputs of the classifier; 0 leaves it away and the network ends with pooled features.
            in_chans: channels of the input picture.
        """
        from regnety.architecture.description import describe

        return describe(self, num_classes=num_classes, in_chans=in_chans)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `design_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.stage_strides is not None:
            values["stage_strides"] = list(self.stage_strides)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyNetDesign:
    """A network whose stages are given one by one: the paper's AnyNet, and what foreign checkpoints need.

    Raises:
        InvalidDesignError: a parameter is outside of what is allowed; the message names it.
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
    """How groups are fitted: 0 is the paper's and timm's rule, 0.9 torchvision's (`widths.fit_groups`)."""

    def __post_init__(self) -> None:
        if not isinstance(self.stages, list | tuple) or not self.stages:
            raise InvalidDesignError(f"stages must be at least one StageDesign, got {self.stages!r}")
        for stage in self.stages:
            if not isinstance(stage, StageDesign):
                raise InvalidDesignError(f"each of stages must be a StageDesign, got {stage!r}")
        _assign(self, "stages", tuple(self.stages))
        if self.depth > MAX_DEPTH:
            raise InvalidDesignError(f"stages must hold at most {MAX_DEPTH} blocks together, got {self.depth}")
        _check_shared(self)
        _check_squeeze(self, self.fitted_stages())

    @property
    def depth(self) -> int:
        """Blocks in the whole network (paper: d)."""
        return sum(stage.depth for stage in self.stages)

    def fitted_stages(self) -> tuple[StageDesign, ...]:
        """The stages with widths and group widths fitted to each other."""
        return tuple(stage.fitted(self.group_min_ratio) for stage in self.stages)

    def paper_violations(self) -> tuple[str, ...]:
        """Which of the paper's restrictions on RegNetX and RegNetY this design leaves, a sentence each."""
        multiplier = next((s.bottleneck_multiplier for s in self.stages if s.bottleneck_multiplier != 1), 1.0)
        linear = "the stages are given one by one, the paper's RegNets follow w0, wa and wm"
        return (linear, *_multiplier_and_depth_violations(multiplier, self.depth))

    def architecture(self, num_classes: int = 1000, in_chans: int = 3) -> "Architecture":
        """Spell the design out, layer by layer; see `Design.architecture`."""
        from regnety.architecture.description import describe

        return describe(self, num_classes=num_classes, in_chans=in_chans)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `design_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["stages"] = [stage.as_dict() for stage in self.stages]
        return values


AnyDesign: TypeAlias = Design | AnyNetDesign


def _assign(design: StageDesign | Design | AnyNetDesign, name: str, value: object) -> None:
    """Set a field of a frozen dataclass while it is being made."""
    object.__setattr__(design, name, value)


def _check_shared(design: AnyDesign) -> None:
    """The fields that both kinds of design have."""
    _assign(design, "se_ratio", validation.real("se_ratio", design.se_ratio, 0, 16))
    _assign(design, "stem_width", validation.whole("stem_width", design.stem_width, 1, MAX_WIDTH))
    _assign(design, "stem_stride", validation.whole("stem_stride", design.stem_stride, 1, MAX_STRIDE))
    _assign(design, "group_min_ratio", validation.real("group_min_ratio", design.group_min_ratio, 0, 1))


def _check_squeeze(design: AnyDesign, stages: tuple[StageDesign, ...]) -> None:
    """Every block must squeeze to at least one channel; the squeeze width follows the width that enters a block."""
    entering = [design.stem_width, *(stage.width for stage in stages[:-1])]
    entering += [stage.width for stage in stages[-1:] if stage.depth > 1]
    narrowest = min(entering)
    if design.se_ratio > 0 and round(narrowest * design.se_ratio) < 1:
        raise InvalidDesignError(
            f"se_ratio {design.se_ratio:g} of the {narrowest} channels that enter the narrowest block rounds to none; "
            f"allowed: 0, or a ratio above {0.5 / narrowest:g}"
        )


def _multiplier_and_depth_violations(multiplier: float, depth: int) -> list[str]:
    violations = []
    if multiplier != 1:
        violations.append(f"bottleneck_multiplier is {multiplier:g}, the paper has b = 1")
    if not 12 <= depth <= 28:
        violations.append(f"depth is {depth}, the paper has 12 <= d <= 28")
    return violations
