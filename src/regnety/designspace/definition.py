"""What defines a design space: what designs are drawn from, and which of them belong to it."""

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from regnety.architecture import validation
from regnety.architecture.description import MAX_SIDE
from regnety.architecture.stages import MAX_STRIDE, MAX_WIDTH, assign
from regnety.designspace.ranges import LinearRanges, StageRanges
from regnety.errors import InvalidDesignError

Bounds: TypeAlias = tuple[float, float]
"""[low, high], both allowed."""

MAX_STAGES = 64
MAX_COUNT = (1 << 63) - 1  # counts are 64-bit whole numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDefinition:
    """The fields of a `DesignSpace`. A restriction that is None or False does not hold.

    Raises:
        InvalidDesignError: a field is out of range; the message names it.
    """

    name: str
    """`regnety` and so on."""
    ranges: LinearRanges | StageRanges
    """What the numbers are drawn from: six of a RegNet, or four for each stage of an AnyNet."""
    num_stages: tuple[int, int] | None = (4, 4)
    """Fewest and most stages. An AnyNet's number is drawn from them, a RegNet of another number is rejected."""
    no_step_skipped: bool = False
    """Each power of wm from the first to the last is the width of a stage of its own (pycls's restriction)."""
    share_multiplier: bool = False
    """One bottleneck multiplier for all stages of an AnyNet (AnyNetX B)."""
    share_group_width: bool = False
    """One group width for all stages of an AnyNet (AnyNetX C)."""
    widths_do_not_fall: bool = False
    """No stage of an AnyNet is narrower than the one before it (AnyNetX D)."""
    depths_do_not_fall: bool = False
    """No stage of an AnyNet has fewer blocks than the one before it (AnyNetX E)."""
    macs: Bounds | None = None
    """Multiply-adds for one picture."""
    params: Bounds | None = None
    """Parameters."""
    activations: Bounds | None = None
    """Outputs of convolutions and classifier, for one picture."""
    params_bound: tuple[float, float] | None = None
    """(a, b): parameters at most a + b * macs. `spaces.PARAMS_BOUND` is fitted to the paper's models."""
    activations_bound: float | None = None
    """c: activations at most c * sqrt(macs). `spaces.ACTIVATIONS_BOUND` is fitted to the paper's models."""
    image_size: int | tuple[int, int] = 224
    """Side of a picture in pixels, or (height, width): what macs and activations are counted for."""
    num_classes: int = 1000
    """Outputs of the classifier that is counted."""
    se_ratio: float = 0.0
    """Squeeze width over the width that enters the block; 0 is RegNetX, 0.25 RegNetY."""
    stem_width: int = 32
    """Channels of the stem."""
    stem_stride: int = 2
    """Stride of the stem; 1 for pictures of 32 pixels or so."""
    stage_strides: tuple[int, ...] | None = None
    """Stride of each stage's first block, one for each of the most stages; None is 2 for every stage."""

    def __post_init__(self) -> None:
        if not isinstance(self.ranges, LinearRanges | StageRanges):
            raise InvalidDesignError(f"ranges must be LinearRanges or StageRanges, got {self.ranges!r}")
        self._check_stages()
        for name in ("macs", "params", "activations"):
            assign(self, name, _bounds(name, getattr(self, name)))
        if self.params_bound is not None:
            assign(self, "params_bound", _numbers("params_bound", self.params_bound, "(a, b)", allowed=2))
        if self.activations_bound is not None:
            assign(self, "activations_bound", validation.real("activations_bound", self.activations_bound, 0, 1e12))
        height, width = validation.sides("image_size", self.image_size, MAX_SIDE)
        assign(self, "image_size", height if height == width else (height, width))
        assign(self, "num_classes", validation.whole("num_classes", self.num_classes, 0, MAX_WIDTH))
        assign(self, "se_ratio", validation.real("se_ratio", self.se_ratio, 0, 16))
        assign(self, "stem_width", validation.whole("stem_width", self.stem_width, 1, MAX_WIDTH))
        assign(self, "stem_stride", validation.whole("stem_stride", self.stem_stride, 1, MAX_STRIDE))
        self._check_counts()

    @property
    def is_linear(self) -> bool:
        """Whether its designs are RegNets (`Design`) rather than AnyNets (`AnyNetDesign`)."""
        return isinstance(self.ranges, LinearRanges)

    @property
    def most_stages(self) -> int | None:
        """The most stages of a design; None where nothing limits them."""
        return None if self.num_stages is None else self.num_stages[1]

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `space_from_dict` reads them back."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in self.plain_fields().items()}
        ranges = {field.name: getattr(self.ranges, field.name).as_dict() for field in fields(self.ranges)}
        return {**plain, "ranges": ranges}

    def plain_fields(self) -> dict[str, Any]:
        """All fields but the ranges."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "ranges"}

    def _check_stages(self) -> None:
        if self.num_stages is None:
            if not self.is_linear:
                raise InvalidDesignError("num_stages of an AnyNet must be a number or (fewest, most)")
        else:
            pair = self.num_stages if isinstance(self.num_stages, tuple | list) else (self.num_stages,) * 2
            fewest, most = _numbers("num_stages", pair, "a number or (fewest, most)", allowed=2)
            fewest = validation.whole("num_stages", int(fewest) if fewest == int(fewest) else fewest, 1, MAX_STAGES)
            most = validation.whole("num_stages", int(most) if most == int(most) else most, fewest, MAX_STAGES)
            assign(self, "num_stages", (fewest, most))
        anynets = ("share_multiplier", "share_group_width", "widths_do_not_fall", "depths_do_not_fall")
        for name in ("no_step_skipped", *anynets):
            if not isinstance(getattr(self, name), bool):
                raise InvalidDesignError(f"{name} must be true or false, got {getattr(self, name)!r}")
            if getattr(self, name) and (name in anynets) == self.is_linear:
                raise InvalidDesignError(f"{name} restricts {'AnyNets' if name in anynets else 'RegNets'} alone")
        if self.stage_strides is not None:
            if self.most_stages is None:
                raise InvalidDesignError("stage_strides needs a limit of num_stages, and a stride for each stage")
            strides = validation.strides("stage_strides", self.stage_strides, self.most_stages, MAX_STRIDE)
            assign(self, "stage_strides", strides)

    def _check_counts(self) -> None:
        """The largest network must be countable in 64 bits."""
        height, width = validation.sides("image_size", self.image_size, MAX_SIDE)
        multipliers = self.ranges.bottleneck_multiplier.limits
        group = int(self.ranges.group_width.limits[1])
        most = 1 if self.is_linear else self.most_stages or 1
        channels = int(1.5 * max(self.ranges.widest, self.stem_width, 8)) + group
        inner = int(channels * max(1, multipliers[1])) + group
        block = 2 * channels * inner + 9 * group * inner + channels**2 + int(self.se_ratio * channels + 1) * 3 * inner
        if self.ranges.deepest * most * block * height * width + channels * self.num_classes > MAX_COUNT:
            raise InvalidDesignError("the largest networks cannot be counted in 64 bits; lower the ranges")


def _numbers(name: str, value: Any, what: str, *, allowed: int) -> tuple[float, ...]:
    try:
        numbers = tuple(validation.real(name, number, 0, 1e30) for number in value)
    except TypeError:
        numbers = ()
    if isinstance(value, str) or len(numbers) != allowed:
        raise InvalidDesignError(f"{name} must be {what}, got {value!r}")
    return numbers


def _bounds(name: str, value: Any) -> Bounds | None:
    if value is None:
        return None
    low, high = _numbers(name, value, "(low, high)", allowed=2)
    if low > high:
        raise InvalidDesignError(f"{name}: the lowest {low:,.0f} is above the highest {high:,.0f}")
    return low, high
