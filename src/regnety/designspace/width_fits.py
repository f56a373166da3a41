"""How well a linear design describes any list of widths: the paper's e_fit.

Radosavovic et al. (arXiv:2003.13678), section 3.3: d is the number of blocks, and w0, wa and wm are searched on a grid
for the least mean log-ratio of predicted to observed widths. The best networks of AnyNetX have small ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import WIDTH_QUANTUM, AnyNetDesign, Design
from regnety.architecture.stages import MAX_DEPTH, MAX_WIDTH, block_widths
from regnety.architecture.stages_to_design import linear_design
from regnety.architecture.validation import whole
from regnety.designspace.distributions import Reals
from regnety.errors import InvalidDesignError

FIRST_WIDTHS = 9
"""Values of w0 on the first grid, multiples of 8 about the first width."""
SLOPES, FACTORS = 40, 32
"""Values of wa and of wm on it."""
FINER = 15
"""Of both on the grids about the best point of each w0, each a third as wide as the one before."""
ROUNDS = 5
"""How many of those."""
NEARLY = 0.2
"""Error up to which the difference may be that of fitting groups."""
LARGEST_FACTOR = 4.0
"""wm is searched from just above 1 to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthFit:
    """The linear design nearest to some widths."""

    w0: int
    """Width of the first block."""
    wa: float
    """Slope."""
    wm: float
    """Factor between stages."""
    widths: tuple[int, ...]
    """Its width for each block."""
    error: float
    """e_fit: the mean of |ln(width of the design / width)| over the blocks; 0 is no difference."""


def fit_design(design: AnyDesign) -> WidthFit:
    """Fit a linear design to the widths of a network's blocks.

    A network that is a RegNet has error 0: its own design, or one that `linear_design` finds for its stages, with
    groups fitted.
    """
    stages = design.fitted_stages()
    widths = [stage.width for stage in stages for _ in range(stage.depth)]
    own = design if isinstance(design, Design) else None
    if own is None:
        fit = fit_widths(widths)
        if fit.error < NEARLY and isinstance(design, AnyNetDesign):  # the search for an exact one takes longer
            own = linear_design(design)
        if own is None:
            return fit
    return WidthFit(w0=own.w0, wa=own.wa, wm=own.wm, widths=tuple(widths), error=0.0)


def fit_widths(widths: Sequence[int]) -> WidthFit:
    """Fit a linear design to the width of each block, first to last, without groups.

    Raises:
        InvalidDesignError: there is no block, or a width is out of range.
    """
    if not 1 <= len(widths) <= MAX_DEPTH:
        raise InvalidDesignError(f"widths must be those of 1 to {MAX_DEPTH} blocks, got {len(widths)}")
    observed = [whole("each of widths", width, 1, MAX_WIDTH) for width in widths]
    logs = np.log(np.array(observed, np.float64))
    first = max(1, round(observed[0] / WIDTH_QUANTUM))
    eighths = sorted({max(1, first + offset) for offset in range(-(FIRST_WIDTHS // 2), FIRST_WIDTHS // 2 + 1)})
    if max(observed) == min(observed):  # one stage, whatever wm is
        return _exact(observed, min(eighths, key=lambda e: abs(e * WIDTH_QUANTUM - observed[0])), 0.0, 2.0)
    slopes = np.concatenate([[0.0], np.geomspace(0.25, 2 * max(observed), SLOPES - 1)])
    factors = np.geomspace(1.05, LARGEST_FACTOR, FACTORS)
    found = []
    for eighth in eighths:
        best = _best(logs, eighth, slopes, factors)
        for number in range(ROUNDS):
            around = 0.2 / 3**number
            _, slope, factor = best
            finer_slopes = slope * np.exp(np.linspace(-around, around, FINER))
            finer_factors = np.maximum(factor * np.exp(np.linspace(-around, around, FINER) / 3), 1.001)
            best = min(best, _best(logs, eighth, finer_slopes, finer_factors))
        error, slope, factor = best
        found.append((error, eighth, slope, factor))
    return _exact(observed, *min(found)[1:])


def _best(logs: Reals, eighth: int, slopes: Reals, factors: Reals) -> tuple[float, float, float]:
    """(error, wa, wm) of the best point of a grid for one w0."""
    log_factors = np.log(factors)[:, None, None]
    blocks = np.arange(len(logs))
    # [factors, slopes, blocks]
    steps = np.rint(np.log1p(slopes[:, None] * blocks / (eighth * WIDTH_QUANTUM)) / log_factors)
    fitted = np.maximum(np.rint(eighth * np.exp(steps * log_factors)), 1)
    errors = np.abs(np.log(fitted * WIDTH_QUANTUM) - logs).mean(axis=2)
    factor, slope = np.unravel_index(int(errors.argmin()), errors.shape)
    return float(errors[factor, slope]), float(slopes[slope]), float(factors[factor])


def _exact(observed: Sequence[int], eighth: int, slope: float, factor: float) -> WidthFit:
    """The fit with short decimals where they cost nothing, and the widths that the definition gives."""
    w0 = eighth * WIDTH_QUANTUM
    fits = []
    for decimals in (1, 2, 3, 12):
        wa, wm = round(slope, decimals), round(factor, decimals)
        if wm > 1:
            widths = tuple(block_widths(len(observed), w0, wa, wm, quantum=WIDTH_QUANTUM))
            error = sum(abs(math.log(max(w, 1) / o)) for w, o in zip(widths, observed, strict=True)) / len(observed)
            fits.append(WidthFit(w0=w0, wa=wa, wm=wm, widths=widths, error=error))
    return min(fits, key=lambda fit: fit.error)  # the first of equals has the fewest decimals
