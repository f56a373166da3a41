"""Parameters, multiply-adds and activations, in the paper's convention and in the model page's."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from regnety.architecture import validation
from regnety.architecture.description import MAX_SIDE, AnyDesign, Architecture
from regnety.architecture.layers import Block, ConvNorm, SqueezeExcitation, output_side


@dataclass(frozen=True, slots=True, kw_only=True)
class Complexity:
    """Size and work of a network for one picture."""

    num_params: int
    """Learnable numbers; running statistics are not counted."""
    macs: int
    """Multiply-adds of convolutions and classifier, a bias addition counted as one (the paper's flops)."""
    activations: int
    """Elements that all convolutions and the classifier put out."""


def complexity(architecture: Architecture | AnyDesign, image_size: int | tuple[int, int] = 224) -> Complexity:
    """Count as pycls and the paper do, for one picture of `image_size` pixels, or of (height, width).

    A design counts with 1000 classes and 3 input channels.

    Raises:
        InvalidDesignError: a side is not a whole number from 1 to 65536.
    """
    height, width = validation.sides("image_size", image_size, MAX_SIDE)
    architecture = architecture.architecture()  # of a design; an architecture gives itself
    convolutions = list(_convolutions(architecture, height, width))
    head = architecture.head
    return Complexity(
        num_params=sum(
            math.prod(shape)
            for key, shape in architecture.state_dict_shapes().items()
            if not key.endswith(("running_mean", "running_var", "num_batches_tracked"))  # buffers, not parameters
        ),
        macs=sum(conv.macs for conv in convolutions) + (head.width_in + 1) * head.num_classes,
        activations=sum(conv.activations for conv in convolutions) + head.num_classes,
    )


def model_index_flops(architecture: Architecture | AnyDesign) -> int:
    """The `FLOPs` of the RegNetY model page's index, exact for its twelve models; a convention of its own."""
    # Found by fitting all twelve: multiply-adds of every convolution on a 3x224x286 input, the bias additions of
    # squeeze-excitation, and for global pooling one addition per element plus one division per channel (64 per
    # channel at stride 32). The classifier is not counted.
    architecture = architecture.architecture()
    height, width = 224, 286
    flops = sum(conv.macs for conv in _convolutions(architecture, height, width))
    for stride in _strides(architecture):
        height, width = output_side(height, stride), output_side(width, stride)
    return flops + (height * width + 1) * architecture.num_features


def weights_bytes(architecture: Architecture | AnyDesign) -> int:
    """Bytes of all weights in float32, with batch norm's counters in int64, as published files have them."""
    shapes = architecture.architecture().state_dict_shapes().values()
    return sum((4 if shape else 8) * math.prod(shape) for shape in shapes)


@dataclass(frozen=True, slots=True)
class _Convolution:
    macs: int
    activations: int


def _convolutions(architecture: Architecture, height: int, width: int) -> Iterator[_Convolution]:
    def conv(layer: ConvNorm, height: int, width: int) -> _Convolution:
        elements = output_side(height, layer.stride) * output_side(width, layer.stride) * layer.width_out
        return _Convolution(layer.kernel_size**2 * layer.width_in // layer.groups * elements, elements)

    def block_convolutions(block: Block, height: int, width: int) -> Iterator[_Convolution]:
        yield conv(block.conv1, height, width)
        yield conv(block.conv2, height, width)
        if block.se is not None:
            yield _se_convolutions(block.se)
        yield conv(block.conv3, output_side(height, block.stride), output_side(width, block.stride))
        if block.downsample is not None:
            yield conv(block.downsample, height, width)

    yield conv(architecture.stem, height, width)
    height, width = output_side(height, architecture.stem.stride), output_side(width, architecture.stem.stride)
    for block in architecture.blocks:
        yield from block_convolutions(block, height, width)
        height, width = output_side(height, block.stride), output_side(width, block.stride)


def _se_convolutions(se: SqueezeExcitation) -> _Convolution:  # on 1x1 pictures, each with a bias
    elements = se.se_width + se.width
    return _Convolution(2 * se.se_width * se.width + elements, elements)


def _strides(architecture: Architecture) -> Iterator[int]:
    yield architecture.stem.stride
    for block in architecture.blocks:
        yield block.stride
