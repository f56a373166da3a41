"""What the numbers of a design are drawn from: the paper's ranges, its constrained space's, and pycls's, by name.

Radosavovic et al. (arXiv:2003.13678), sections 3.2 to 4. The paper prints the limits of RegNet's numbers and not the
law by which they are drawn; pycls's law is used between the paper's limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from regnety.architecture import validation
from regnety.architecture.design import WIDTH_QUANTUM
from regnety.architecture.stages import MAX_DEPTH, MAX_WIDTH, assign
from regnety.designspace.distributions import (
    Distribution,
    LogUniform,
    OneOf,
    PowerOfTwoOrLogUniform,
    Uniform,
)
from regnety.errors import InvalidDesignError

Range: TypeAlias = Distribution | Sequence[float]
"""A law; or (low, high) for the same law between other limits; or, where values are listed, the list. `Limits` and
`Values` are the one or the other whatever the law."""


class Limits(tuple[float, ...]):
    """(low, high) of any law; of a list, those of its values that lie between them."""

    __slots__ = ()


class Values(tuple[float, ...]):
    """All values of a range, each as likely as another, whatever its law was."""

    __slots__ = ()


MULTIPLIERS = OneOf((1.0, 0.5, 0.25))  # the paper's b, which divides, is 1, 2 or 4
GROUP_WIDTHS = OneOf((1, 2, 4, 8, 16, 32))
STAGE_DEPTHS, STAGE_WIDTHS = LogUniform(1, 16), LogUniform(8, 1024, WIDTH_QUANTUM)
DEPTHS, FIRST_WIDTHS, SLOPES = Uniform(1, 63), LogUniform(8, 256, WIDTH_QUANTUM), LogUniform(8, 256, 0.1)
FACTORS, LARGE_FACTORS = LogUniform(1.5, 3, 0.001), LogUniform(2, 3, 0.001)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRanges:
    """What each stage of an AnyNet is drawn from."""

    depth: Distribution = STAGE_DEPTHS
    """Blocks of a stage (paper: d_i)."""
    width: Distribution = STAGE_WIDTHS
    """Channels of a stage (paper: w_i)."""
    group_width: Distribution = GROUP_WIDTHS
    """Channels in a group of the 3x3 convolution (paper: g_i)."""
    bottleneck_multiplier: Distribution = MULTIPLIERS
    """Inner width over block width; the paper's b_i is its inverse."""

    def __post_init__(self) -> None:
        _check(self, {"depth": MAX_DEPTH, "width": MAX_WIDTH, "group_width": MAX_WIDTH})

    @property
    def deepest(self) -> int:
        """The most blocks of one stage."""
        return int(self.depth.limits[1])

    @property
    def widest(self) -> float:
        """The most channels before groups are fitted."""
        return self.width.limits[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearRanges:
    """What the six numbers of a RegNet are drawn from."""

    depth: Distribution = DEPTHS
    """Blocks of the network (paper: d)."""
    w0: Distribution = FIRST_WIDTHS
    """Width of the first block (paper: w_0)."""
    wa: Distribution = SLOPES
    """Slope (paper: w_a)."""
    wm: Distribution = FACTORS
    """Factor between stages (paper: w_m)."""
    group_width: Distribution = GROUP_WIDTHS
    """Channels in a group of the 3x3 convolution (paper: g)."""
    bottleneck_multiplier: Distribution = MULTIPLIERS
    """Inner width over block width; the paper's b is its inverse."""

    def __post_init__(self) -> None:
        _check(self, {"depth": MAX_DEPTH, "w0": MAX_WIDTH, "group_width": MAX_WIDTH})
        if (self.w0.values() % WIDTH_QUANTUM).any():
            raise InvalidDesignError(f"w0 must be drawn from multiples of {WIDTH_QUANTUM} channels")
        if self.wa.limits[0] < 0:
            raise InvalidDesignError(f"wa must be drawn from 0 on, got {self.wa.limits[0]:g}")
        if self.wm.limits[0] <= 1:
            raise InvalidDesignError(f"wm must be drawn from above 1, got {self.wm.limits[0]:g}")
        if self.widest > MAX_WIDTH:
            raise InvalidDesignError(f"depth, w0, wa and wm reach {self.widest:,.0f} channels, over {MAX_WIDTH}")

    @property
    def deepest(self) -> int:
        """The most blocks of the network."""
        return int(self.depth.limits[1])

    @property
    def widest(self) -> float:
        """The most channels before groups are fitted; rounding multiplies by up to the square root of wm."""
        last = self.w0.limits[1] + self.wa.limits[1] * (self.deepest - 1)
        return float(last * self.wm.limits[1] ** 0.5 + WIDTH_QUANTUM)


def with_ranges(ranges: Any, changes: Mapping[str, Range]) -> Any:
    """Ranges with some of them replaced.

    Raises:
        InvalidDesignError: there is no such range, or its limits are not allowed.
    """
    known = {field.name: getattr(ranges, field.name) for field in fields(ranges)}
    for name, change in changes.items():
        if name not in known:
            raise InvalidDesignError(f"no range is called {name!r}; known: {', '.join(known)}")
        known[name] = _range(name, known[name], change)
    return type(ranges)(**known)


def _range(name: str, law: Distribution, change: Range) -> Distribution:
    if isinstance(change, Distribution):
        return change
    values = tuple(change) if isinstance(change, Sequence) and not isinstance(change, str) else (change,)
    if any(isinstance(value, bool | str) or not isinstance(value, int | float) for value in values) or not values:
        raise InvalidDesignError(f"{name} must be numbers, got {change!r}")
    if isinstance(change, Limits) and len(values) != 2:
        raise InvalidDesignError(f"{name} must be LOW:HIGH, got {':'.join(f'{value:g}' for value in values)}")
    if isinstance(change, Limits) and isinstance(law, OneOf):
        within = tuple(value for value in law.choices if change[0] <= value <= change[-1])
        if not within:
            raise InvalidDesignError(f"{name}: none of {_listed(law.choices)} is from {_listed(change)}")
        return OneOf(within)
    if isinstance(law, OneOf) or isinstance(change, Values) or len(values) == 1:
        return OneOf(values)
    if len(values) != 2:
        raise InvalidDesignError(f"{name} must be (low, high), or a distribution, got {change!r}")
    try:
        return law.with_limits(*values)
    except InvalidDesignError as error:
        raise InvalidDesignError(f"{name}: {str(error).partition(': ')[2] or error}") from None


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _check(ranges: StageRanges | LinearRanges, most: Mapping[str, int]) -> None:
    for field in fields(ranges):
        if not isinstance(getattr(ranges, field.name), Distribution):
            raise InvalidDesignError(f"{field.name} must be a distribution, got {getattr(ranges, field.name)!r}")
    for name, high in most.items():
        law: Distribution = getattr(ranges, name)
        if law.limits[0] < 1 or law.limits[1] > high or (law.values() % 1).any():
            raise InvalidDesignError(f"{name} must be drawn from whole numbers from 1 to {high}, got {law}")
    multipliers = ranges.bottleneck_multiplier
    if not isinstance(multipliers, OneOf):
        raise InvalidDesignError(f"bottleneck_multiplier must be a list of values, got {multipliers}")
    checked = tuple(validation.multiplier("bottleneck_multiplier", value) for value in multipliers.choices)
    assign(ranges, "bottleneck_multiplier", OneOf(checked))


PAPER = LinearRanges()
CONSTRAINED = LinearRanges(depth=Uniform(1, 40), wm=LARGE_FACTORS, bottleneck_multiplier=OneOf((1.0,)))
PYCLS = LinearRanges(
    depth=Uniform(12, 28),
    wm=LARGE_FACTORS,
    group_width=PowerOfTwoOrLogUniform(8, 128, 8),
    bottleneck_multiplier=OneOf((1.0,)),
)
LINEAR_RANGES: Mapping[str, LinearRanges] = {"paper": PAPER, "constrained": CONSTRAINED, "pycls": PYCLS}
"""RegNet's by name: the paper's space, its constrained one (section 4), and pycls's default sampler."""
