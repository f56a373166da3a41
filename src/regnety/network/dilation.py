"""Dilation: finer maps from the same weights (timm's `output_stride`).

A stage that no longer strides sees a grid twice as fine. Its 3x3 kernels keep their field of view if their taps are
spread by the stride that was left out.
"""

from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from regnety.architecture import validation
from regnety.architecture.description import Architecture
from regnety.architecture.stages import MAX_WIDTH
from regnety.errors import InvalidDesignError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSampling:
    """Stride and dilation of the 3x3 convolutions of one stage."""

    stride: int
    """Of the first block, and of its shortcut."""
    first_dilation: int
    """Of the first block: it reads the map of the stage before, so it has that stage's dilation."""
    dilation: int
    """Of the other blocks."""


def stage_samplings(architecture: Architecture, output_stride: int | None) -> tuple[StageSampling, ...]:
    """Stride and dilation of every stage.

    Args:
        architecture: the network; its weights are the same under every output stride.
        output_stride: largest stride of a map, in pixels of the image; beyond it stages dilate instead of striding.
            None keeps the strides of the design, and so does the stride of its last map or a larger one.

    Raises:
        InvalidDesignError: no map of the design has that stride.
    """
    strides = [stage.stride for stage in architecture.stages]
    # Stride of the map that enters each stage, and of the last map: 2, 4, 8, 16, 32 in every published model.
    passed = list(accumulate(strides, mul, initial=architecture.stem.stride))
    if output_stride is None:
        output_stride = passed[-1]
    validation.whole("output_stride", output_stride, 1, MAX_WIDTH)
    if output_stride < passed[-1] and output_stride not in passed:
        allowed = ", ".join(str(stride) for stride in sorted(set(passed)))
        raise InvalidDesignError(f"output_stride must be a stride of this design ({allowed}), got {output_stride}")
    samplings = []
    dilation = 1
    for stride, before in zip(strides, passed, strict=False):
        if before < output_stride:
            samplings.append(StageSampling(stride=stride, first_dilation=1, dilation=1))
        else:
            samplings.append(StageSampling(stride=1, first_dilation=dilation, dilation=dilation * stride))
            dilation *= stride
    return tuple(samplings)
