"""From a table of stages back to the six numbers: a `Design` that spells out the same network, where there is one.

Equations 2 to 4 of the paper (arXiv:2003.13678, section 3.3) read backwards. Rounding loses the numbers themselves:
many designs give the same widths, and the one with the shortest decimals is taken.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import WIDTH_QUANTUM, AnyNetDesign, Design
from regnety.architecture.stages import MAX_WIDTH, StageDesign, fit_groups
from regnety.errors import InvalidDesignError

GROUP_MIN_RATIOS = (0.0, 0.9)
"""The paper's and timm's rule of fitting groups, and torchvision's."""
LARGEST_JUMPS = (8, 2)
"""Largest powers of wm between the first two stages, and between later ones; the published designs have 1."""
MOST_STAGES = 8
"""With more there would be too many combinations of jumps."""
TRIES = 200
"""Values of wm that are tried for one choice of w0 and jumps."""
MOST_TRIES = 20_000
"""In all, so that no file takes more than a fraction of a second."""
LARGEST_REACH = 2048
"""Channels on either side of a stage's width in which its width before fitting is searched."""


def simplest_design(design: AnyNetDesign) -> AnyDesign:
    """The linear design of the same network, or the table of stages itself where none is found."""
    return linear_design(design) or design


def linear_design(design: AnyNetDesign) -> Design | None:
    """A design with the same stages, widths and groups; None where none is found."""
    stages = design.fitted_stages()
    multipliers = {stage.bottleneck_multiplier for stage in stages}
    widths = [stage.width for stage in stages]
    rising = all(narrow < wide for narrow, wide in itertools.pairwise(widths))
    # a Design has one multiplier, and neighbouring blocks of one width are one stage, so widths rise
    if len(multipliers) != 1 or not rising or len(stages) > MOST_STAGES:
        return None
    strides = tuple(stage.stride for stage in stages)
    for group_min_ratio in GROUP_MIN_RATIOS:
        group_width = max(stage.group_width for stage in stages)  # narrow stages have it capped at their width
        ranges = [_widths_before_fitting(stage, group_width, group_min_ratio) for stage in stages]
        if not all(ranges):
            continue
        for w0, wa, wm in _candidates(ranges, [stage.depth for stage in stages]):
            try:
                linear = Design(
                    depth=design.depth,
                    w0=w0,
                    wa=wa,
                    wm=wm,
                    group_width=group_width,
                    bottleneck_multiplier=stages[0].bottleneck_multiplier,
                    se_ratio=design.se_ratio,
                    stem_width=design.stem_width,
                    stem_stride=design.stem_stride,
                    stage_strides=None if set(strides) == {2} else strides,
                    group_min_ratio=group_min_ratio,
                )
                if linear.fitted_stages() == stages:  # whatever rounding did on the way
                    return linear
            except InvalidDesignError:  # another number of stages, or a value out of bounds
                continue
    return None


def _widths_before_fitting(stage: StageDesign, group_width: int, group_min_ratio: float) -> range:
    """The multiples of 8 that fitting groups moves to a stage's width; empty where there are none."""
    reach = min(math.ceil(group_width * max(1.0, 1 / stage.bottleneck_multiplier)) + WIDTH_QUANTUM, LARGEST_REACH)
    low = max(WIDTH_QUANTUM, (stage.width - reach) // WIDTH_QUANTUM * WIDTH_QUANTUM)
    found = [
        width
        for width in range(low, min(stage.width + reach, MAX_WIDTH) + 1, WIDTH_QUANTUM)
        if fit_groups(width, stage.bottleneck_multiplier, group_width, group_min_ratio)
        == (stage.width, stage.inner_width, stage.group_width)
    ]
    return range(found[0], found[-1] + 1, WIDTH_QUANTUM) if found else range(0)


def _candidates(ranges: Sequence[range], depths: Sequence[int]) -> Iterator[tuple[int, float, float]]:
    """(w0, wa, wm) that should give these depths and widths, those with small jumps and short decimals first."""
    ends = list(itertools.accumulate(depths))
    if len(ranges) == 1:
        yield from ((w0, 0.0, 2.0) for w0 in ranges[0])
        return
    most = [LARGEST_JUMPS[number > 0] for number in range(len(ranges) - 1)]
    half, middle = WIDTH_QUANTUM / 2, ranges[0][len(ranges[0]) // 2]
    tries = 0
    for jumps in sorted(itertools.product(*(range(1, jump + 1) for jump in most)), key=lambda row: (sum(row), row)):
        steps = [0, *itertools.accumulate(jumps)]
        for w0 in sorted(ranges[0], key=lambda width: abs(width - middle)):
            later = list(zip(ranges[1:], steps[1:], strict=True))
            low = max(((width[0] - half) / w0) ** (1 / step) for width, step in later)
            high = min(((width[-1] + half) / w0) ** (1 / step) for width, step in later)
            for wm in _short_decimals(max(low, 1.0), high, TRIES):
                wa = _slope(w0, wm, steps, ends)
                if wa is not None:
                    yield w0, wa, wm
                tries += 1
            tries += 1
            if tries > MOST_TRIES:
                return


def _slope(w0: int, wm: float, steps: Sequence[int], ends: Sequence[int]) -> float | None:
    """wa for which block `ends[i] - 1` still has step i and block `ends[i]` has the next; None where there is none."""
    low, high = 0.0, float(MAX_WIDTH)
    for number, (step, end) in enumerate(zip(steps, ends, strict=True)):
        if end > 1:
            high = min(high, w0 * (wm ** (step + 0.5) - 1) / (end - 1))
        if number + 1 < len(steps):
            low = max(low, w0 * (wm ** (steps[number + 1] - 0.5) - 1) / end)
    return next(_short_decimals(low, high, 1), None)


def _short_decimals(low: float, high: float, count: int) -> Iterator[float]:
    """Numbers strictly between two others, those with the fewest decimals first; at most `count`."""
    given: set[float] = set()
    for decimals in range(1, 13):
        scale = 10**decimals
        first, last = math.floor(low * scale) + 1, math.ceil(high * scale) - 1
        middle = (first + last) // 2
        for offset in range(last - first + 1):  # from the middle: rounding bites at the ends
            number = (middle + (offset + 1) // 2 * (1 if offset % 2 else -1)) / scale
            if low < number < high and number not in given:
                given.add(number)
                yield number
                if len(given) >= count:
                    return
