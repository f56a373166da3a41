"""Widths and groups against the rules of pycls and torchvision, written down a second time in NumPy."""

import numpy as np
import pytest
from hypothesis import assume, given

import designs
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import FittedWidth, StageDesign, block_widths, fit_groups, group_stages

MULTIPLIERS = (1.0, 2.0, 4.0, 1 / 2, 1 / 4)


def pycls_stages(design: Design) -> tuple[list[int], list[int]]:
    """pycls `models/regnet.py::generate_regnet`: widths and depths of the stages.

    Exact halves are left out: NumPy's logarithm and power may differ from the C library's in the last bit.
    """

    def rounded(values: np.ndarray) -> np.ndarray:
        assume(np.abs(values % 1 - 0.5).min() > 1e-9 * np.abs(values).max())
        return np.round(values)

    continuous = np.arange(design.depth) * design.wa + design.w0
    exponents = rounded(np.log(continuous / design.w0) / np.log(design.wm))
    widths = rounded(design.w0 * np.power(design.wm, exponents) / 8).astype(int) * 8
    stage_widths, depths = np.unique(widths, return_counts=True)
    return stage_widths.tolist(), depths.tolist()


def pycls_fit(width: int, multiplier: float, group_width: int) -> FittedWidth:
    """pycls `models/blocks.py::adjust_block_compatibility` for one stage."""
    inner = int(max(1, width * multiplier))
    group = int(min(group_width, inner))
    multiple = int(np.lcm(group, int(multiplier))) if multiplier > 1 else group
    inner = max(multiple, int(round(inner / multiple) * multiple))
    assert int(inner / multiplier) * multiplier % group == 0
    return FittedWidth(int(inner / multiplier), inner, group)


def torchvision_fit(width: int, multiplier: float, group_width: int) -> FittedWidth:
    """torchvision `models/regnet.py::_adjust_widths_groups_compatibilty` with `_make_divisible`, for one stage."""
    inner = int(width * multiplier)
    group = min(group_width, inner)
    divisible = max(group, int(inner + group / 2) // group * group)
    if divisible < 0.9 * inner:
        divisible += group
    return FittedWidth(int(divisible / multiplier), divisible, group)


@given(designs.designs(max_depth=60, multipliers=MULTIPLIERS))
@designs.examples(1000)
def test_design_has_the_stages_of_pycls_or_torchvision(design: Design) -> None:
    widths, depths = pycls_stages(design)
    assert design.grouped_widths() == list(zip(widths, depths, strict=True))
    fit = torchvision_fit if design.group_min_ratio else pycls_fit
    wanted = [fit(width, design.bottleneck_multiplier, design.group_width) for width in widths]
    assert [(stage.width, stage.inner_width, stage.group_width) for stage in design.fitted_stages()] == wanted


@given(designs.anynet_designs().filter(lambda d: all(s.bottleneck_multiplier in MULTIPLIERS for s in d.stages)))
@designs.examples(300)
def test_anynet_stages_are_fitted_by_the_same_rules(design: AnyNetDesign) -> None:
    fit = torchvision_fit if design.group_min_ratio else pycls_fit
    for stage, fitted in zip(design.stages, design.fitted_stages(), strict=True):
        if stage.width * stage.bottleneck_multiplier >= 1:  # torchvision knows no smaller ones
            wanted = fit(stage.width, stage.bottleneck_multiplier, stage.group_width)
            assert (fitted.width, fitted.inner_width, fitted.group_width) == wanted


@pytest.mark.parametrize(
    ("width", "multiplier", "group_width", "min_ratio", "wanted"),
    [
        (56, 1, 16, 0, (64, 64, 16)),  # 3.5 groups: halves go to even, regnety_008
        (136, 1, 16, 0, (128, 128, 16)),  # 8.5 groups
        (136, 1, 16, 0.9, (144, 144, 16)),  # torchvision: halves go up, regnety_008_tv
        (5, 1, 16, 0, (5, 5, 5)),  # groups are capped at the width
        (24, 4, 10, 0, (25, 100, 10)),  # lcm(10, 4) = 20, 96 / 20 = 4.8
        (64, 1 / 4, 3, 0, (60, 15, 3)),
        (147, 1 / 49, 8, 0, (147, 3, 3)),  # 147 * (1 / 49) is less than 3 in floats
        (1, 1 / 4, 8, 0, (4, 1, 1)),
        (22, 1, 16, 0.9, (32, 32, 16)),  # 16 is less than 0.9 of 22
        (23, 1, 16, 0, (16, 16, 16)),
    ],
)
def test_group_fitting_by_hand(
    width: int, multiplier: float, group_width: int, min_ratio: float, wanted: tuple[int, int, int]
) -> None:
    assert fit_groups(width, multiplier, group_width, min_ratio) == wanted
    stage = StageDesign(width=width, depth=1, bottleneck_multiplier=multiplier, group_width=group_width)
    fitted = stage.fitted(min_ratio)
    assert (fitted.width, fitted.inner_width, fitted.group_width) == wanted


@pytest.mark.parametrize(
    ("depth", "w0", "wa", "wm", "wanted"),
    [
        (6, 16, 8, 2.0, [16, 32, 32, 32, 64, 64]),  # log2(u / 16) is 0, 0.58, 1, 1.32, 1.58, 1.81
        (3, 8, 8, 4.0, [8, 8, 32]),  # log4(2) is half: to even, 0; log4(3) is 0.79
        (2, 24, 12, 1.5, [24, 32]),  # 36 / 8 = 4.5 goes to 4
        (2, 40, 20, 1.5, [40, 64]),  # 60 / 8 = 7.5 goes to 8
        (3, 48, 0, 2.5, [48, 48, 48]),
    ],
)
def test_block_widths_by_hand(depth: int, w0: int, wa: float, wm: float, wanted: list[int]) -> None:
    assert block_widths(depth, w0, wa, wm, quantum=8) == wanted


def test_widths_are_computed_in_double_precision() -> None:
    """float32, as timm and torchvision have it, gives 432 here (STYLE.md, note e)."""
    assert 440 in block_widths(28, 200, 20, 2.18, quantum=8)


def test_neighbouring_blocks_of_one_width_are_a_stage() -> None:
    assert group_stages([16, 32, 32, 32, 64, 64]) == [(16, 1), (32, 3), (64, 2)]
    assert group_stages([8, 8, 16, 8]) == [(8, 2), (16, 1), (8, 1)]
