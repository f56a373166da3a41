"""The paper's equations 2 to 4 for many RegNets at once: the stages of each, before groups are fitted.

Exact: every design has the stages of `architecture.stages.block_widths`, whose Python floats are the definition. Two
things can differ in the last bit, a logarithm and a power, and both are rounded; a design of which a rounded number
comes near a half is computed by that function itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.architecture.design import WIDTH_QUANTUM
from regnety.architecture.stages import block_widths, group_stages
from regnety.designspace.distributions import Reals

NEAR = 1e-9
"""Relative distance from a half below which rounding is left to the definition; errors are below 1e-12."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Stages of many networks, padded with zeros to the same number of them."""

    count: npt.NDArray[np.int64]
    """[designs] stages of each."""
    widths: npt.NDArray[np.int64]
    """[stages, designs] channels, before groups are fitted."""
    depths: npt.NDArray[np.int64]
    """[stages, designs] blocks."""

    def take(self, kept: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Stages":
        """Those of some designs."""
        return Stages(self.count[kept], self.widths[:, kept], self.depths[:, kept])


def last_steps(depth: Reals, w0: Reals, wa: Reals, wm: Reals) -> npt.NDArray[np.int64]:
    """round(s_j) of the last block of each design, at least; one more where it is near a half."""
    steps = np.log((w0 + wa * (depth - 1)) / w0) / np.log(wm)
    return np.floor(steps + (0.5 + 1e-6)).astype(np.int64)


def linear_stages(
    depth: Reals, w0: Reals, wa: Reals, wm: Reals, *, fewest: int, most: int | None, no_step_skipped: bool
) -> tuple[npt.NDArray[np.intp], Stages]:
    """The stages of those designs that have an allowed number of them.

    Args:
        depth: [designs] and so are the others.
        w0: width of the first block.
        wa: slope.
        wm: factor between stages.
        fewest: stages of a design.
        most: stages of a design; None is no limit.
        no_step_skipped: each power of wm up to the last block's is a stage of its own.

    Returns:
        Their positions, rising, and their stages.
    """
    # a network has at most a stage for each power of wm: most designs of a wide space end here, before any table
    reached = last_steps(depth, w0, wa, wm)
    possible = reached + 1 >= fewest
    if most is not None and no_step_skipped:
        possible &= reached <= most  # one more than allowed, where the last is near a half
    kept = np.flatnonzero(possible)
    depth, w0, wa, wm, reached = depth[kept], w0[kept], wa[kept], wm[kept], reached[kept]
    widths, depths, doubtful = _by_step(depth, w0, wa, wm, int(reached.max(initial=0)) + 1)
    count, starts, last = _count(widths, depths)
    allowed = count >= fewest
    if most is not None:
        allowed &= count <= most
    if no_step_skipped:
        allowed &= count == last + 1
    allowed |= doubtful
    chosen = np.flatnonzero(allowed)
    stages = _compact(count[chosen], starts[:, chosen], widths[:, chosen], depths[:, chosen])
    if not doubtful[chosen].any():
        return kept[chosen], stages
    numbers = (depth[chosen], w0[chosen], wa[chosen], wm[chosen])
    right, stages = _as_defined(stages, doubtful[chosen], numbers, (fewest, most), no_step_skipped)
    return kept[chosen][right], stages


def _by_step(
    depth: Reals, w0: Reals, wa: Reals, wm: Reals, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Width and number of blocks of each power of wm, [steps, designs], and which designs are near a half."""
    widths = np.empty((count, len(depth)), np.int64)
    depths = np.empty_like(widths)
    doubtful = np.zeros(len(depth), np.bool_)
    power, root = np.ones_like(wm), np.sqrt(wm)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a slope of 0 never reaches the next step
        per_block = 1 / wa
        reach = w0 * per_block
        tolerance = NEAR * (reach + depth)
        begin = np.zeros(len(depth))
        for step in range(count):
            # w0 * wm**step / 8; the first two powers are exact, so that no half among them is in doubt
            eighths = w0 * power / WIDTH_QUANTUM
            rounded = np.rint(eighths)
            widths[step] = rounded * WIDTH_QUANTUM
            near = np.abs(np.abs(eighths - rounded) - 0.5) < NEAR * eighths
            # the block from which on round(s_j) is above this step: u_j = w0 * wm**(step + 1/2)
            block = reach * (power * root - 1)
            end = np.minimum(np.ceil(block), depth)
            doubtful |= (np.abs(block - np.rint(block)) < tolerance) & (block < depth)
            end = np.where(wa > 0, end, depth)
            depths[step] = end - begin
            if step > 1:  # a step without blocks has no width
                doubtful |= near & (end > begin)
            begin = end
            power = power * wm
    return widths, depths, doubtful


def _count(
    widths: npt.NDArray[np.int64], depths: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Number of stages, which steps begin one, and the last step that has blocks."""
    starts = np.empty(widths.shape, np.bool_)
    count = np.zeros(widths.shape[1], np.int64)
    last = np.zeros_like(count)
    before = np.zeros_like(count)
    for step, (width, blocks) in enumerate(zip(widths, depths, strict=True)):
        filled = blocks > 0
        # neighbouring powers of wm may be rounded to one width, and are one stage then
        starts[step] = filled & (width > before)
        before = np.where(filled, width, before)
        count += starts[step]
        last[filled] = step
    return count, starts, last


def _compact(
    count: npt.NDArray[np.int64],
    starts: npt.NDArray[np.bool_],
    widths: npt.NDArray[np.int64],
    depths: npt.NDArray[np.int64],
) -> Stages:
    """From steps, of which some are empty or equal, to stages."""
    designs = len(count)
    stage_widths = np.zeros((int(count.max(initial=0)) + 1, designs), np.int64)
    stage_depths = np.zeros_like(stage_widths)
    place, each = np.zeros(designs, np.intp), np.arange(designs)
    for start, width, blocks in zip(starts, widths, depths, strict=True):
        place += start  # row 0 stays empty: every first block begins a stage
        stage_widths[place, each] = np.where(start, width, stage_widths[place, each])
        stage_depths[place, each] += blocks
    return Stages(count, stage_widths[1:], stage_depths[1:])


def _as_defined(
    stages: Stages,
    doubtful: npt.NDArray[np.bool_],
    numbers: tuple[Reals, Reals, Reals, Reals],
    limits: tuple[int, int | None],
    no_step_skipped: bool,
) -> tuple[npt.NDArray[np.intp], Stages]:
    """Replace the stages of doubtful designs by the definition's; which designs are allowed, and their stages."""
    places = np.flatnonzero(doubtful)
    depth, w0, wa, wm = (column[places].tolist() for column in numbers)
    defined = [
        group_stages(block_widths(int(d), int(w), a, m, quantum=WIDTH_QUANTUM))
        for d, w, a, m in zip(depth, w0, wa, wm, strict=True)
    ]
    rows = max(len(stages.widths), *map(len, defined))
    grown = [np.zeros((rows, len(stages.count)), np.int64) for _ in range(2)]
    for new, old in zip(grown, (stages.widths, stages.depths), strict=True):
        new[: len(old)] = old
        new[:, places] = 0
    count, allowed = stages.count.copy(), np.ones(len(stages.count), np.bool_)
    fewest, most = limits
    for place, found, d, w, a, m in zip(places, defined, depth, w0, wa, wm, strict=True):
        count[place] = len(found)
        allowed[place] = fewest <= len(found) <= (most or len(found))
        if no_step_skipped:
            allowed[place] &= len(found) == _last_step(d, w, a, m) + 1
        for row, (width, blocks) in enumerate(found):
            grown[0][row, place], grown[1][row, place] = width, blocks
    kept = np.flatnonzero(allowed)
    most_found = int(count[kept].max(initial=0))
    return kept, Stages(count[kept], grown[0][:most_found, kept], grown[1][:most_found, kept])


def _last_step(depth: float, w0: float, wa: float, wm: float) -> int:
    return round(math.log((w0 + wa * (depth - 1)) / w0) / math.log(wm))
