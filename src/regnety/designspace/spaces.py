"""Design spaces as values: the paper's AnyNetX A to E, RegNetX and RegNetY, and any other of their form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from regnety.designspace.definition import SpaceDefinition
from regnety.designspace.designs import Designs
from regnety.designspace.distributions import distribution_from_dict
from regnety.designspace.ranges import LINEAR_RANGES, LinearRanges, Range, StageRanges, Values, with_ranges
from regnety.designspace.sampling import sample
from regnety.errors import InvalidDesignError

PARAMS_BOUND = (3.27e6, 5.1e-3)
"""Parameters at most a + b * macs: the line of least relative squares through the 24 models of the paper's tables, both
numbers scaled alike until no model lies above it; rounded up. A test fits it again."""
ACTIVATIONS_BOUND = 206.0
"""Activations at most c * sqrt(macs): the largest c of the 24 models, rounded up."""
LIMITED = ("num_stages", "macs", "params", "activations")
"""Fields that are a low and a high limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSpace(SpaceDefinition):
    """A set of designs and the law by which they are drawn. Made by `DesignSpace.regnety()` and its like.

        space = DesignSpace.regnety(macs=(380e6, 400e6), depth=(12, 28), group_width=(8, 16, 24))
        designs = space.sample(500, seed=0)

    A restriction that is None or False does not hold. `replace` gives a space with other fields.

    Raises:
        InvalidDesignError: a field is out of range; the message names it.
    """

    @classmethod
    def anynetx_a(cls, **changes: Any) -> "DesignSpace":
        """AnyNetX_A: four numbers for each of four stages, nothing shared (about 10^18 designs).

        Args:
            **changes: fields of the space, and ranges: `depth`, `width`, `group_width`, `bottleneck_multiplier`, each
                as (low, high), a list of values where it has one, or a distribution.
        """
        return cls._made("anynetx_a", StageRanges(), changes)

    @classmethod
    def anynetx_b(cls, **changes: Any) -> "DesignSpace":
        """AnyNetX_B: A with one bottleneck multiplier for all stages."""
        return cls._made("anynetx_b", StageRanges(), {"share_multiplier": True, **changes})

    @classmethod
    def anynetx_c(cls, **changes: Any) -> "DesignSpace":
        """AnyNetX_C: B with one group width for all stages."""
        return cls.anynetx_b(**{"name": "anynetx_c", "share_group_width": True, **changes})

    @classmethod
    def anynetx_d(cls, **changes: Any) -> "DesignSpace":
        """AnyNetX_D: C with widths that do not fall."""
        return cls.anynetx_c(**{"name": "anynetx_d", "widths_do_not_fall": True, **changes})

    @classmethod
    def anynetx_e(cls, **changes: Any) -> "DesignSpace":
        """AnyNetX_E: D with depths that do not fall."""
        return cls.anynetx_d(**{"name": "anynetx_e", "depths_do_not_fall": True, **changes})

    @classmethod
    def regnetx(cls, ranges: str | LinearRanges = "paper", **changes: Any) -> "DesignSpace":
        """RegNetX: widths by the linear parameterisation, no squeeze-excitation.

        Args:
            ranges: `paper`: depth 1 to 63, w0 and wa 8 to 256, wm 1.5 to 3, b of 1, 2, 4, g a power of two up to 32.
                `constrained`: its section 4, b = 1, depth up to 40, wm from 2, and bounds on parameters and
                activations. `pycls`: depth 12 to 28, wm from 2, b = 1, g from 8 to 128, no power of wm skipped.
            **changes: fields of the space, and ranges: `depth`, `w0`, `wa`, `wm`, `group_width`,
                `bottleneck_multiplier`, each as (low, high), a list of values where it has one, or a distribution.
        """
        if isinstance(ranges, LinearRanges):
            return cls._made("regnetx", ranges, changes)
        if ranges not in LINEAR_RANGES:
            raise InvalidDesignError(f"no ranges are called {ranges!r}; known: {', '.join(LINEAR_RANGES)}")
        restricted: dict[str, Any] = {}
        if ranges == "constrained":
            restricted = {"params_bound": PARAMS_BOUND, "activations_bound": ACTIVATIONS_BOUND}
        elif ranges == "pycls":
            restricted = {"no_step_skipped": True}
        return cls._made("regnetx", LINEAR_RANGES[ranges], {**restricted, **changes})

    @classmethod
    def regnety(cls, ranges: str | LinearRanges = "paper", **changes: Any) -> "DesignSpace":
        """RegNetY: RegNetX with squeeze-excitation; arguments as for `regnetx`."""
        return cls.regnetx(ranges, **{"name": "regnety", "se_ratio": 0.25, **changes})

    @classmethod
    def _made(cls, name: str, ranges: LinearRanges | StageRanges, changes: Mapping[str, Any]) -> "DesignSpace":
        """A space with changed fields and ranges."""
        known = {field.name for field in fields(cls)} - {"ranges"}
        ranges_ = {field.name for field in fields(ranges)}
        unknown = [change for change in changes if change not in known | ranges_]
        if unknown:
            all_known = ", ".join([*sorted(ranges_), *sorted(known)])
            raise InvalidDesignError(f"{changes.get('name', name)} has no {unknown[0]!r}; known: {all_known}")
        changed: dict[str, Range] = {name: value for name, value in changes.items() if name in ranges_}
        others = {name: value for name, value in changes.items() if name not in ranges_}
        for field in LIMITED:
            if isinstance(others.get(field), Values):
                raise InvalidDesignError(f"{field} takes limits, {field}=LOW:HIGH, and no list")
        return cls(**{"name": name, "ranges": with_ranges(ranges, changed), **others})

    def sample(self, count: int, *, seed: int = 0, max_draws: int | None = None) -> Designs:
        """Draw designs until `count` of them belong to the space, in the order of their draws.

        Draw number i is a function of the space's ranges, the seed and i alone: a sample of 100 begins that of 500.

        Args:
            count: designs wanted.
            seed: from 0 to 2**64 - 1.
            max_draws: end after so many draws with fewer designs; None is no limit but that of a space in which
                nothing is found.

        Raises:
            InvalidDesignError: an argument is out of range; or 20 million draws in a row hold no design of the space.
        """
        return sample(self, count, seed=seed, max_draws=max_draws)

    def replace(self, **changes: Any) -> "DesignSpace":
        """This space with other fields or ranges."""
        return type(self)._made(self.name, self.ranges, {**self.plain_fields(), **changes})


def space_from_dict(values: Mapping[str, Any]) -> DesignSpace:
    """A space from what `as_dict` wrote.

    Raises:
        InvalidDesignError: it is no such table, or a field is not allowed.
    """
    try:
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        laws = {name: distribution_from_dict(law) for name, law in plain.pop("ranges").items()}
        kind = LinearRanges if "w0" in laws else StageRanges
        return DesignSpace(ranges=kind(**laws), **plain)
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidDesignError(f"not a design space: {error}") from None


SPACES: Mapping[str, Callable[..., DesignSpace]] = {
    "anynetx_a": DesignSpace.anynetx_a,
    "anynetx_b": DesignSpace.anynetx_b,
    "anynetx_c": DesignSpace.anynetx_c,
    "anynetx_d": DesignSpace.anynetx_d,
    "anynetx_e": DesignSpace.anynetx_e,
    "regnetx": DesignSpace.regnetx,
    "regnety": DesignSpace.regnety,
}
"""Spaces by name."""
