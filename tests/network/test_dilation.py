"""Output strides of designs that timm cannot build; `test_timm_network` has those that it can."""

import pytest
import torch

from numerics import lively_network, random_images, relative_error
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.errors import InvalidDesignError
from regnety.network.creation import create_model
from regnety.network.dilation import stage_samplings

DESIGN = AnyNetDesign(
    stages=tuple(
        StageDesign(width=8 * number, depth=1, group_width=8, stride=stride)
        for number, stride in enumerate((2, 3, 1, 2), start=1)
    ),
    stem_stride=1,
)
"""Passes the strides 1, 2, 6, 6 and 12."""


def samplings(output_stride: int | None) -> list[tuple[int, int, int]]:
    found = stage_samplings(DESIGN.architecture(), output_stride)
    return [(sampling.stride, sampling.first_dilation, sampling.dilation) for sampling in found]


@pytest.mark.parametrize("output_stride", [None, 12, 32])
def test_nothing_dilates_at_the_design_s_own_stride(output_stride: int | None) -> None:
    assert samplings(output_stride) == [(2, 1, 1), (3, 1, 1), (1, 1, 1), (2, 1, 1)]


def test_a_stage_spreads_by_the_stride_that_it_loses() -> None:
    assert samplings(6) == [(2, 1, 1), (3, 1, 1), (1, 1, 1), (1, 1, 2)]
    assert samplings(2) == [(2, 1, 1), (1, 1, 3), (1, 3, 3), (1, 3, 6)]
    assert samplings(1) == [(1, 1, 2), (1, 2, 6), (1, 6, 6), (1, 6, 12)]


@pytest.mark.parametrize("output_stride", [3, 8, 11])
def test_a_stride_that_is_passed_by(output_stride: int) -> None:
    message = rf"^output_stride must be a stride of this design \(1, 2, 6, 12\), got {output_stride}$"
    with pytest.raises(InvalidDesignError, match=message):
        create_model(DESIGN, output_stride=output_stride)


@pytest.mark.parametrize("output_stride", [0, -8, 8.5, "8"])
def test_a_stride_that_is_no_stride(output_stride: object) -> None:
    with pytest.raises(InvalidDesignError, match=r"^output_stride must be a whole number from 1 to "):
        create_model(DESIGN, output_stride=output_stride)  # type: ignore[call-overload]


def test_dilated_maps_agree_with_strided_ones_where_both_are() -> None:
    """What dilation is for: with blocks whose kernels see the same taps, the finer map contains the coarser one."""
    design = AnyNetDesign(
        stages=tuple(StageDesign(width=16, depth=2, group_width=8) for _ in range(3)), se_ratio=0, stem_stride=1
    )
    strided = lively_network(design, num_classes=0, global_pool="").double()
    dilated = create_model(design, num_classes=0, global_pool="", output_stride=2).double().eval()
    dilated.load_state_dict(strided.state_dict())
    images = torch.from_numpy(random_images(1, 3, 32, 32)).double()
    with torch.inference_mode():
        coarse, fine = strided(images), dilated(images)
    assert (coarse.shape[-1], fine.shape[-1]) == (4, 16)
    assert relative_error(fine[..., ::4, ::4], coarse) < 1e-12
