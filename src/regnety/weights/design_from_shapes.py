"""The design of an unnamed checkpoint, from the shapes of its tensors alone.

Shapes give every width, depth, group width, bottleneck multiplier and squeeze width. Strides leave no trace in them: 2
is assumed for the stem and for each stage, as in all published RegNets.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.architecture.stages_to_design import simplest_design
from regnety.architecture.tensor_shapes import check_shapes
from regnety.errors import InvalidDesignError, WeightsError

TensorShapes: TypeAlias = Mapping[str, Sequence[int]]
"""Key to shape, as in a file; the keys are timm's."""

USUAL_SE_RATIO = 0.25
FINEST_SE_RATIO = 64
"""Largest denominator of a squeeze ratio that is tried."""


def infer_architecture(shapes: TensorShapes, *, source: str) -> Architecture:
    """The network with these shapes: a linear design if one has these stages, else the table of its stages.

    Args:
        shapes: key to shape. Without a classifier the network has 0 classes.
        source: the file, which messages begin with.

    Raises:
        WeightsError: no RegNet has them; the message names the key that shows it.
    """
    try:
        stages = tuple(_stages(shapes))
        if not stages:
            raise WeightsError("has no stage: s1.b1.conv1.conv.weight is missing")
        design = AnyNetDesign(
            stages=stages, se_ratio=_se_ratio(shapes), stem_width=_side(shapes, "stem.conv.weight", 0)
        )
        head = shapes.get("head.fc.weight")
        architecture = simplest_design(design).architecture(
            num_classes=0 if head is None else _side(shapes, "head.fc.weight", 0),
            in_chans=_side(shapes, "stem.conv.weight", 1),
        )
    except (InvalidDesignError, WeightsError) as error:
        raise WeightsError(f"{source}: {error}") from None
    # The design came from a few keys of each stage; all others have to agree with it.
    check_shapes(architecture, shapes, source=source, wanted_by="a RegNet with these stages")
    return architecture


def stage_depths(shapes: TensorShapes) -> list[int]:
    """Number of blocks of each stage, first to last, up to the first gap in the keys."""
    depths: list[int] = []
    while f"s{len(depths) + 1}.b1.conv1.conv.weight" in shapes:
        stage, depth = f"s{len(depths) + 1}", 1
        while f"{stage}.b{depth + 1}.conv1.conv.weight" in shapes:
            depth += 1
        depths.append(depth)
    return depths


def _stages(shapes: TensorShapes) -> list[StageDesign]:
    stages = []
    for number, depth in enumerate(stage_depths(shapes), start=1):
        block = f"s{number}.b1"
        width = _side(shapes, f"{block}.conv3.conv.weight", 0)
        inner = _side(shapes, f"{block}.conv3.conv.weight", 1)
        multiplier = Fraction(inner, width)
        # `StageDesign` takes b or 1/b: anything else comes from another kind of network.
        if 1 not in (multiplier.numerator, multiplier.denominator):
            raise WeightsError(
                f"{block}.conv3.conv.weight is {tuple(shapes[f'{block}.conv3.conv.weight'])}: neither width is a "
                "multiple of the other, as a RegNet's are"
            )
        stages.append(
            StageDesign(
                width=width,
                depth=depth,
                bottleneck_multiplier=float(multiplier),
                group_width=_side(shapes, f"{block}.conv2.conv.weight", 1),
            )
        )
    return stages


def _se_ratio(shapes: TensorShapes) -> float:
    """The ratio that makes every block's squeeze width from the width that enters it; 0 if no block squeezes."""
    # Squeeze widths are rounded, so many ratios fit: first the usual one, then those with the smallest denominators.
    squeezes = [
        (_side(shapes, f"{block}.conv1.conv.weight", 1), _side(shapes, f"{block}.se.fc1.weight", 0))
        for number, depth in enumerate(stage_depths(shapes), start=1)
        for block in (f"s{number}.b{position}" for position in range(1, depth + 1))
        if f"{block}.se.fc1.weight" in shapes
    ]
    if not squeezes:
        return 0.0
    ratios = (Fraction(part, whole) for whole in range(1, FINEST_SE_RATIO + 1) for part in range(1, whole + 1))
    for ratio in (USUAL_SE_RATIO, *map(float, ratios)):
        if all(round(width * ratio) == squeeze for width, squeeze in squeezes):
            return ratio
    width, squeeze = squeezes[0]
    raise WeightsError(
        f"its squeeze widths follow no ratio of the widths that enter the blocks (first {squeeze} of {width})"
    )


def _side(shapes: TensorShapes, key: str, axis: int) -> int:
    """One side of a convolution's or the classifier's weight."""
    if key not in shapes:
        raise WeightsError(f"lacks {key}")
    shape = tuple(shapes[key])
    if len(shape) != (2 if key == "head.fc.weight" else 4) or shape[axis] < 1:
        raise WeightsError(f"{key} is {shape}, which no layer of a RegNet has")
    return shape[axis]
