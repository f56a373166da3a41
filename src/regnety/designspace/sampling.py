"""Drawing designs: many at once, each draw a function of the seed and its number alone.

The random numbers are counted and not drawn one after the other (Philox: Salmon et al., "Parallel random numbers: as
easy as 1, 2, 3", 2011). Draw number i takes the same blocks of the counter whatever was drawn before it, so a part of
a sample, or a sample on several machines, is the same as the whole.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from regnety.architecture import validation
from regnety.designspace import counting
from regnety.designspace.definition import SpaceDefinition
from regnety.designspace.designs import Designs, column_types, empty_columns
from regnety.designspace.distributions import Distribution, Reals
from regnety.designspace.linear_stages import Stages, linear_stages
from regnety.designspace.ranges import LinearRanges, StageRanges
from regnety.errors import InvalidDesignError

DRAWS_AT_ONCE = 1 << 14
"""A column of as many fits into a core's cache, and memory stays the same for any number of draws."""
STEPS_AT_ONCE = 1 << 22
"""Of all draws together: a factor wm near 1 has thousands of them."""
MOST_FRUITLESS = 20_000_000
"""Draws in a row without a design of the space, after which there is taken to be none."""
WORDS = 4  # 64-bit numbers of one block of the counter
MAX_SEED = (1 << 64) - 1
MAX_DRAWS = 1 << 48  # times the blocks of a draw, still in the lowest 64 bits of the counter
REASONS = ("num_stages", "order", "squeeze", "params", "macs", "activations", "params_bound", "activations_bound")
"""What a draw is rejected for, in the order of the checks."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The designs of some draws that belong to the space."""

    columns: Mapping[str, npt.NDArray[np.generic]]
    """As `Designs.columns`; `draw` is the number of the draw."""
    rejections: Mapping[str, int]
    """Draws that were rejected, by the first reason."""


def sample(space: SpaceDefinition, count: int, *, seed: int = 0, max_draws: int | None = None) -> Designs:
    """As `DesignSpace.sample`."""
    count = validation.whole("count", count, 0, 1 << 40)
    seed = validation.whole("seed", seed, 0, MAX_SEED)
    limit = MAX_DRAWS if max_draws is None else validation.whole("max_draws", max_draws, 0, MAX_DRAWS)
    parts: list[Mapping[str, npt.NDArray[np.generic]]] = [empty_columns(space)]
    rejections = dict.fromkeys(REASONS, 0)
    drawn, found, last_found = 0, 0, 0
    at_once = _draws_at_once(space)
    while found < count and drawn < limit:
        size = min(at_once, limit - drawn)
        accepted = draws(space, drawn, drawn + size, seed=seed)
        here = len(accepted.columns["draw"])
        if found + here >= count:
            # the last design needed ends the sample, in the middle of a part: its later draws were never made
            columns = {name: column[: count - found] for name, column in accepted.columns.items()}
            end = int(columns["draw"][-1]) + 1
            accepted = Accepted(columns, draws(space, drawn, end, seed=seed).rejections)
            drawn, here = end, count - found
        else:
            drawn += size
        parts.append(accepted.columns)
        found += here
        for reason, number in accepted.rejections.items():
            rejections[reason] += number
        last_found = drawn if here else last_found
        if drawn - last_found >= MOST_FRUITLESS and found < count and max_draws is None:
            raise InvalidDesignError(_fruitless(space, drawn - last_found, rejections))
    return Designs(
        columns={name: _joined([part[name] for part in parts]) for name in parts[0]},
        space=space,
        seed=seed,
        draws=drawn,
        rejections={reason: number for reason, number in rejections.items() if number},
    )


def draws(space: SpaceDefinition, start: int, end: int, *, seed: int) -> Accepted:
    """The draws from `start` to before `end` that belong to the space."""
    drawn = drawn_numbers(space, start, end, seed=seed)
    numbers = np.arange(start, end)
    rejections: dict[str, int] = {}
    # [stages, designs] each: what was drawn, and the same after groups are fitted
    if isinstance(space.ranges, LinearRanges):
        fewest, most = space.num_stages or (1, None)
        kept, stages = linear_stages(
            *(drawn[name] for name in ("depth", "w0", "wa", "wm")),
            fewest=fewest,
            most=most,
            no_step_skipped=space.no_step_skipped,
        )
        rejections["num_stages"] = end - start - len(kept)
        drawn = {name: column[kept] for name, column in drawn.items()}
        shape = stages.widths.shape
        groups = np.broadcast_to(drawn["group_width"].astype(np.int64), shape)
        multipliers = np.broadcast_to(drawn["bottleneck_multiplier"], shape)
    else:
        kept, stages = _any_stages(space, drawn)
        rejections["order"] = end - start - len(kept)
        drawn = {name: column[..., kept] for name, column in drawn.items()}
        groups, multipliers = drawn["group_width"].astype(np.int64), drawn["bottleneck_multiplier"]
    widths, inners, fitted_groups = counting.fit_groups(stages.widths, multipliers, groups)
    counts = counting.count(space, stages.depths, widths, inners, fitted_groups)
    belongs = np.ones(len(kept), np.bool_)
    for reason, holds in _checks(space, stages.depths, widths, counts).items():
        rejections[reason] = int((belongs & ~holds).sum())
        belongs &= holds
    chosen = np.flatnonzero(belongs)
    of_stages = {
        "stage_widths": widths,
        "stage_depths": stages.depths,
        "stage_inner_widths": inners,
        "stage_group_widths": fitted_groups,
    }
    if isinstance(space.ranges, LinearRanges):
        whole = {name: drawn[name][chosen] for name in drawn}
    else:
        of_stages |= {"drawn_widths": stages.widths, "drawn_group_widths": np.where(stages.depths > 0, groups, 0)}
        of_stages["stage_bottleneck_multipliers"] = np.where(stages.depths > 0, multipliers, 0)
        whole = {}
    columns = {
        "draw": numbers[kept][chosen],
        **whole,
        "num_stages": stages.count[chosen],
        **{name: _rows(array, chosen, space.most_stages) for name, array in of_stages.items()},
        **{field.name: getattr(counts, field.name)[chosen] for field in fields(counts)},
    }
    return Accepted({name: columns[name].astype(kind) for name, kind in column_types(space).items()}, rejections)


def drawn_numbers(space: SpaceDefinition, start: int, end: int, *, seed: int) -> dict[str, Reals]:
    """What the draws from `start` to before `end` give before any is rejected.

    Returns:
        Range to values: [draws] of a RegNet, [stages, draws] of an AnyNet, with its `num_stages` [draws].
    """
    ranges = space.ranges
    laws: list[tuple[str, Distribution]] = [(field.name, getattr(ranges, field.name)) for field in fields(ranges)]
    copies = 1 if isinstance(ranges, LinearRanges) else (space.most_stages or 1)
    # the number of stages of an AnyNet comes first
    needed = (0 if isinstance(ranges, LinearRanges) else 1) + copies * sum(law.uniforms for _, law in laws)
    uniforms = _uniforms(start, end, needed, seed)
    drawn: dict[str, Reals] = {}
    row = 0
    if isinstance(ranges, StageRanges):
        fewest, most = space.num_stages or (1, 1)
        drawn["num_stages"] = fewest + np.minimum(np.floor(uniforms[0] * (most + 1 - fewest)), most - fewest)
        row = 1
    for name, law in laws:
        values = []
        for _ in range(copies):
            values.append(law.draw(*uniforms[row : row + law.uniforms]))
            row += law.uniforms
        if isinstance(ranges, LinearRanges):
            drawn[name] = values[0]
            continue
        shared = (name == "bottleneck_multiplier" and space.share_multiplier) or (
            name == "group_width" and space.share_group_width
        )
        drawn[name] = np.stack(values[:1] * copies if shared else values)
    return drawn


def _draws_at_once(space: SpaceDefinition) -> int:
    if not isinstance(space.ranges, LinearRanges):
        return DRAWS_AT_ONCE
    ranges = space.ranges
    most = math.log1p(ranges.wa.limits[1] * ranges.deepest / ranges.w0.limits[0]) / math.log(ranges.wm.limits[0])
    return max(1, min(DRAWS_AT_ONCE, int(STEPS_AT_ONCE / (most + 1))))


def _uniforms(start: int, end: int, needed: int, seed: int) -> Reals:
    """[needed, draws] numbers from [0, 1), by the counter."""
    blocks = -(-needed // WORDS)
    stream = np.random.Philox(key=seed, counter=start * blocks)
    # the raw numbers and not a Generator's: NumPy promises that they stay the same in every version
    raw = stream.random_raw((end - start) * blocks * WORDS).reshape(end - start, blocks * WORDS)
    return np.ascontiguousarray((raw.T[:needed] >> np.uint64(11)) * 2.0**-53)


def _any_stages(space: SpaceDefinition, drawn: Mapping[str, Reals]) -> tuple[npt.NDArray[np.intp], Stages]:
    """The stages of AnyNets, of those whose widths and depths may stand in this order."""
    count = drawn["num_stages"].astype(np.int64)
    there = np.arange(len(drawn["width"]))[:, None] < count
    kept = np.ones(len(count), np.bool_)
    for name, rises in (("width", space.widths_do_not_fall), ("depth", space.depths_do_not_fall)):
        if rises:
            kept &= ((np.diff(drawn[name], axis=0) >= 0) | ~there[1:]).all(axis=0)
    chosen = np.flatnonzero(kept)
    # only those: nearly all draws of AnyNetX_E end here
    widths, depths = (
        np.where(there[:, chosen], drawn[name][:, chosen], 0).astype(np.int64) for name in ("width", "depth")
    )
    return chosen, Stages(count[chosen], widths, depths)


def _checks(
    space: SpaceDefinition, depths: counting.Wholes, widths: counting.Wholes, counts: counting.Counts
) -> dict[str, npt.NDArray[np.bool_]]:
    """Reason for a rejection to whether each design is free of it."""
    checks: dict[str, npt.NDArray[np.bool_]] = {}
    if space.se_ratio:
        checks["squeeze"] = counting.narrowest_squeeze(space, depths, widths) >= 1
    for name, values in (("params", counts.num_params), ("macs", counts.macs), ("activations", counts.activations)):
        bounds = getattr(space, name)
        if bounds is not None:
            checks[name] = (values >= bounds[0]) & (values <= bounds[1])
    if space.params_bound is not None:
        offset, slope = space.params_bound
        checks["params_bound"] = counts.num_params <= offset + slope * counts.macs
    if space.activations_bound is not None:
        checks["activations_bound"] = counts.activations <= space.activations_bound * np.sqrt(counts.macs)
    return checks


def _rows(stages: npt.NDArray[np.generic], chosen: npt.NDArray[np.intp], most: int | None) -> npt.NDArray[np.generic]:
    """[designs, stages] of [stages, designs]; padded with zeros to the most stages of the space."""
    rows = stages[:, chosen].T
    missing = (most or rows.shape[1]) - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, missing))) if missing > 0 else np.ascontiguousarray(rows)


def _joined(parts: list[npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
    """One column; without a limit of stages the parts have different numbers of them."""
    if parts[0].ndim == 1:
        return np.concatenate(parts)
    most = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, most - part.shape[1]))) for part in parts])


def _fruitless(space: SpaceDefinition, drawn: int, rejections: Mapping[str, int]) -> str:
    reason = max(rejections, key=lambda name: rejections[name])
    return (
        f"{space.name}: no design among {drawn:,} draws in a row belongs to the space; most are rejected for {reason}; "
        "widen that, or set max_draws"
    )
