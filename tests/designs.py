"""Random designs: hypothesis strategies for properties, and a seeded draw of small ones that can be run."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from regnety.architecture.counting import complexity
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.errors import InvalidDesignError


def examples(count: int) -> settings:
    """That many examples, the same ones in every run."""
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


MULTIPLIERS = (1.0, 2.0, 3.0, 4.0, 1 / 2, 1 / 3, 1 / 4, 1 / 49)
GROUP_MIN_RATIOS = (0.0, 0.9)

widths = st.integers(1, 600)
group_widths = st.integers(1, 130)
strides = st.integers(1, 3)
se_ratios = st.sampled_from((0.0, 0.25, 0.5, 1.0))
"""Any of them gives at least one channel where at least three enter a block; `stem_widths` begin there."""
stem_widths = st.integers(3, 64)


@st.composite
def designs(draw: st.DrawFn, *, max_depth: int = 40, multipliers: tuple[float, ...] = MULTIPLIERS) -> Design:
    """Valid designs; torchvision's rule only where it can be combined with the multiplier."""
    multiplier = draw(st.sampled_from(multipliers))
    values = {
        "depth": draw(st.integers(1, max_depth)),
        "w0": 8 * draw(st.integers(1, 50)),
        "wa": draw(st.floats(0, 300)),
        "wm": draw(st.floats(1, 6, exclude_min=True)),
        "group_width": draw(group_widths),
        "bottleneck_multiplier": multiplier,
        "se_ratio": draw(se_ratios),
        "stem_width": draw(stem_widths),
        "stem_stride": draw(strides),
        "group_min_ratio": 0.0 if multiplier > 1 else draw(st.sampled_from(GROUP_MIN_RATIOS)),
    }
    if not draw(st.booleans()):
        return Design(**values)
    stages = len(Design(**values).grouped_widths())
    return Design(**values, stage_strides=tuple(draw(st.lists(strides, min_size=stages, max_size=stages))))


@st.composite
def anynet_designs(draw: st.DrawFn, *, max_stages: int = 6, max_stage_depth: int = 8) -> AnyNetDesign:
    """Valid AnyNets: every stage has its own width, depth, multiplier, group width and stride."""
    group_min_ratio = draw(st.sampled_from(GROUP_MIN_RATIOS))
    stages = st.builds(
        StageDesign,
        width=st.integers(3, 600),
        depth=st.integers(1, max_stage_depth),
        bottleneck_multiplier=st.sampled_from([b for b in MULTIPLIERS if b <= 1 or not group_min_ratio]),
        group_width=group_widths,
        stride=strides,
    )
    drawn = tuple(draw(st.lists(stages, min_size=1, max_size=max_stages)))
    narrowest = min(stage.fitted(group_min_ratio).width for stage in drawn)
    return AnyNetDesign(
        stages=drawn,
        se_ratio=draw(se_ratios.filter(lambda ratio: ratio == 0 or narrowest * ratio > 0.5)),
        stem_width=draw(stem_widths),
        stem_stride=draw(strides),
        group_min_ratio=group_min_ratio,
    )


SMALL_KINDS = ("any", "one stage", "six stages", "b = 2", "b = 1/2", "no SE", "stem stride 1", "AnyNet")


def small_design(seed: int) -> AnyDesign:
    """A random design of at most a million parameters with 10 classes; the kinds above take turns."""
    kind, random = SMALL_KINDS[seed % len(SMALL_KINDS)], np.random.RandomState(seed)
    while True:
        try:
            design = _anynet(random) if kind == "AnyNet" else _design(kind, random)
            if complexity(design.architecture(num_classes=10), image_size=64).num_params <= 1_000_000:
                return design
        except InvalidDesignError:  # torchvision's rule with b = 2
            continue


def _design(kind: str, random: np.random.RandomState) -> Design:
    while True:
        design = Design(
            depth=random.randint(6, 13) if kind == "six stages" else random.randint(1, 9),
            w0=8 * random.randint(1, 6),
            wa=0 if kind == "one stage" else random.uniform(2, 40),
            wm=random.uniform(1.2, 1.8) if kind == "six stages" else random.uniform(1.5, 3),
            group_width=random.choice([1, 3, 4, 8, 12, 16, 24]),
            bottleneck_multiplier={"b = 2": 2, "b = 1/2": 1 / 2}.get(kind, 1),
            se_ratio=0 if kind == "no SE" else random.choice([0.25, 0.5]),
            stem_width=random.choice([8, 12, 32]),
            stem_stride=1 if kind == "stem stride 1" else random.randint(1, 3),
            group_min_ratio=random.choice([0, 0.9]),
        )
        if kind != "six stages" or len(design.grouped_widths()) == 6:
            return design


def _anynet(random: np.random.RandomState) -> AnyNetDesign:
    return AnyNetDesign(
        stages=tuple(
            StageDesign(
                width=random.randint(4, 120),
                depth=random.randint(1, 4),
                bottleneck_multiplier=random.choice([1, 2, 1 / 2]),
                group_width=random.randint(1, 17),
                stride=random.randint(1, 4),
            )
            for _ in range(random.randint(1, 7))
        ),
        se_ratio=random.choice([0, 0.25, 0.5]),
        stem_width=random.choice([8, 12, 32]),
        stem_stride=random.randint(1, 3),
    )
