"""Groups, parameters, multiply-adds and activations of many networks at once.

The rules are `architecture.stages.fit_groups` and `architecture.counting.complexity`, written for arrays: whole numbers
of 64 bits, and the same floats where those round. A test compares every number of 100,000 designs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.architecture.layers import output_side
from regnety.designspace.definition import SpaceDefinition
from regnety.designspace.distributions import Reals

Wholes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Size and work of each network."""

    num_params: Wholes
    macs: Wholes
    activations: Wholes


def fit_groups(width: Wholes, multiplier: Reals, group_width: Wholes) -> tuple[Wholes, Wholes, Wholes]:
    """Width, inner width and group width after fitting, by the paper's rule; a width of 0 stays 0."""
    expansion = np.where(multiplier >= 1, np.rint(multiplier), 1).astype(np.int64)
    reduction = np.where(multiplier >= 1, 1, np.rint(1 / multiplier)).astype(np.int64)
    inner = np.maximum(1, width * expansion // reduction)
    group = np.minimum(group_width, inner)
    multiple = np.lcm(group, expansion) if (expansion > 1).any() else group
    fitted = np.maximum(multiple, np.rint(inner / multiple).astype(np.int64) * multiple)
    there = width > 0
    return np.where(there, fitted * reduction // expansion, 0), np.where(there, fitted, 0), np.where(there, group, 0)


def count(space: SpaceDefinition, depths: Wholes, widths: Wholes, inners: Wholes, groups: Wholes) -> Counts:
    """Count networks whose groups are fitted.

    Args:
        space: has the stem, the squeeze ratio, the classes and the size of a picture.
        depths: [stages, designs] blocks; a stage of 0 blocks is none, and comes after all others.
        widths: [stages, designs] channels of the blocks.
        inners: [stages, designs] channels of the 3x3 convolutions.
        groups: [stages, designs] channels of a group.
    """
    height, width = (space.image_size,) * 2 if isinstance(space.image_size, int) else space.image_size
    height, width = output_side(height, space.stem_stride), output_side(width, space.stem_stride)
    stem = space.stem_width
    designs = depths.shape[1]
    total = _Sums(
        params=np.full(designs, 27 * stem + 2 * stem),  # three channels of a 3x3 kernel; scale and shift of batch norm
        macs=np.full(designs, 27 * stem * height * width),
        activations=np.full(designs, stem * height * width),
    )
    entering = np.full(designs, stem)
    strides: Sequence[int] = space.stage_strides or (2,) * len(depths)
    for stride, blocks, leaving, inner, group in zip(strides, depths, widths, inners, groups, strict=False):
        area = height * width
        height, width = output_side(height, stride), output_side(width, stride)
        there, more = (blocks > 0).astype(np.int64), np.maximum(blocks - 1, 0)
        projected = there * (entering != leaving if stride == 1 else 1)
        total.add_block(space, there, entering, leaving, inner, group, area, height * width)
        total.add_convolution(projected, entering, leaving, height * width)
        total.add_block(space, more, leaving, leaving, inner, group, height * width, height * width)
        entering = np.where(blocks > 0, leaving, entering)
    classifier = (entering + 1) * space.num_classes
    return Counts(total.params + classifier, total.macs + classifier, total.activations + space.num_classes)


@dataclass(slots=True)
class _Sums:
    params: Wholes
    macs: Wholes
    activations: Wholes

    def add_convolution(self, times: Wholes, fan_in: Wholes, channels: Wholes, area: int) -> None:
        """A convolution without bias, with batch norm; `fan_in` is the inputs of one output."""
        self.params += times * channels * (fan_in + 2)
        elements = times * channels * area
        self.macs += elements * fan_in
        self.activations += elements

    def add_block(
        self,
        space: SpaceDefinition,
        times: Wholes,
        entering: Wholes,
        leaving: Wholes,
        inner: Wholes,
        group: Wholes,
        area_in: int,
        area_out: int,
    ) -> None:
        """So many equal blocks, without their shortcuts."""
        self.add_convolution(times, entering, inner, area_in)
        self.add_convolution(times, 9 * group, inner, area_out)
        self.add_convolution(times, inner, leaving, area_out)
        if space.se_ratio:
            squeezed = np.rint(entering * space.se_ratio).astype(np.int64)
            elements = times * (squeezed + inner)
            weights = times * (2 * squeezed * inner) + elements  # both convolutions have a bias
            self.params += weights
            self.macs += weights
            self.activations += elements


def narrowest_squeeze(space: SpaceDefinition, depths: Wholes, widths: Wholes) -> Reals:
    """Fewest channels that a squeeze-excitation of each network squeezes to: 0 is a network that cannot be built."""
    fewest = np.full(depths.shape[1], np.inf)
    entering = np.full(depths.shape[1], space.stem_width)
    for blocks, width in zip(depths, widths, strict=True):
        there = blocks > 0
        fewest = np.where(there, np.minimum(fewest, entering), fewest)
        fewest = np.where(blocks > 1, np.minimum(fewest, width), fewest)
        entering = np.where(there, width, entering)
    return np.rint(fewest * space.se_ratio)
