"""Dilation: finer maps from the same weights. Kernels spread where strides end, as in timm's `output_stride`."""

from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from regnety.architecture import validation
from regnety.architecture.description import Architecture
from regnety.architecture.stages import MAX_WIDTH
from regnety.errors import InvalidDesignError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSampling:
    """How the 3x3 convolutions of one stage walk over their input."""

    stride: int
    """Of the first block, and of its shortcut."""
    first_dilation: int
    """Of the first block: the grid that it reads is still that of the stage before."""
    dilation: int
    """Of the other blocks."""


def stage_samplings(architecture: Architecture, output_stride: int | None) -> tuple[StageSampling, ...]:
    """Stride and dilation of every stage.

    Args:
        architecture: the network; its weights are the same under every output stride.
        output_stride: from this stride on, counted in pixels of the image, stages dilate instead of striding; None
            leaves the strides of the design, and so does its own last stride or more.

    Raises:
        InvalidDesignError: the strides of the design pass that stride by.
    """
    strides = [stage.stride for stage in architecture.stages]
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
