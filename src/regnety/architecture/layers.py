"""The layers of a description, with names, widths, strides and groups.

Names are checkpoint keys in timm's dialect, which is ours, and in timm's order.
"""

from dataclasses import dataclass
from typing import TypeAlias

Shapes: TypeAlias = dict[str, tuple[int, ...]]

BATCH_NORM_EPS = 1e-5  # torch's own, and that of all published RegNets
# torch's default, which pycls and timm keep; only training uses it.
BATCH_NORM_MOMENTUM = 0.1
"""Weight of a new batch in the running statistics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNorm:
    """A convolution without bias, batch norm, and ReLU if `relu`. The padding keeps size // stride."""

    name: str
    """`s2.b1.conv2`: the prefix of its keys."""
    width_in: int
    width_out: int
    kernel_size: int = 1
    stride: int = 1
    groups: int = 1
    relu: bool = True

    def state_dict_shapes(self) -> Shapes:
        """Key to shape; weights are [width_out, width_in / groups, kernel, kernel]."""
        kernel = (self.kernel_size, self.kernel_size)
        norm = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.width_out,))
        return {
            f"{self.name}.conv.weight": (self.width_out, self.width_in // self.groups, *kernel),
            **{f"{self.name}.bn.{parameter}": shape for parameter, shape in norm.items()},
            f"{self.name}.bn.num_batches_tracked": (),  # a scalar; only training uses it
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeExcitation:
    """Global average, 1x1 convolution, ReLU, 1x1 convolution, sigmoid, product with the input; both have a bias."""

    name: str
    """`s2.b1.se`."""
    width: int
    se_width: int
    """round(width that enters the block * se_ratio), halves to even."""

    def state_dict_shapes(self) -> Shapes:
        """Key to shape."""
        return {
            # 1x1 convolutions and not linear layers: the form in all published checkpoints, hence four dimensions.
            f"{self.name}.fc1.weight": (self.se_width, self.width, 1, 1),
            f"{self.name}.fc1.bias": (self.se_width,),
            f"{self.name}.fc2.weight": (self.width, self.se_width, 1, 1),
            f"{self.name}.fc2.bias": (self.width,),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """conv1 (1x1), conv2 (3x3, grouped), squeeze-excitation, conv3 (1x1), plus the shortcut, then ReLU."""

    name: str
    """`s2.b1`; counts from 1."""
    conv1: ConvNorm
    conv2: ConvNorm
    se: SqueezeExcitation | None
    conv3: ConvNorm
    downsample: ConvNorm | None
    """The shortcut's 1x1 convolution if width or stride change; None is the identity."""

    @property
    def width_in(self) -> int:
        """Channels that enter."""
        return self.conv1.width_in

    @property
    def width(self) -> int:
        """Channels that leave."""
        return self.conv3.width_out

    @property
    def inner_width(self) -> int:
        """Channels of the 3x3 convolution."""
        return self.conv2.width_out

    @property
    def stride(self) -> int:
        """Of the 3x3 convolution and the shortcut."""
        return self.conv2.stride

    @property
    def groups(self) -> int:
        """Number of groups of the 3x3 convolution."""
        return self.conv2.groups

    def layers(self) -> tuple["ConvNorm | SqueezeExcitation", ...]:
        """The layers in the order of their keys."""
        return tuple(
            layer for layer in (self.conv1, self.conv2, self.se, self.conv3, self.downsample) if layer is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks of one width; the first has the stride."""

    name: str
    """`s2`; counts from 1."""
    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        """Channels of every block's output."""
        # The blocks of a stage are alike except for the first one's stride and incoming width.
        return self.blocks[0].width

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def inner_width(self) -> int:
        """Channels of the 3x3 convolutions, a multiple of `group_width`."""
        return self.blocks[0].inner_width

    @property
    def group_width(self) -> int:
        """Channels in a group of the 3x3 convolutions."""
        return self.inner_width // self.blocks[0].groups

    @property
    def stride(self) -> int:
        """Stride of the first block."""
        return self.blocks[0].stride


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Global average pooling and, unless num_classes is 0, a linear classifier with bias."""

    name: str = "head"
    width_in: int
    num_classes: int

    def state_dict_shapes(self) -> Shapes:
        """Key to shape."""
        # timm's convention: a network without classes returns pooled features.
        if self.num_classes == 0:
            return {}
        return {
            f"{self.name}.fc.weight": (self.num_classes, self.width_in),
            f"{self.name}.fc.bias": (self.num_classes,),
        }


Layer: TypeAlias = ConvNorm | SqueezeExcitation | Head


def output_side(side: int, stride: int) -> int:
    """Height or width after a 3x3 convolution with padding 1, or a 1x1 convolution without."""
    # With padding 1 a 3x3 kernel fits one more place than side // stride where the side is odd.
    return (side - 1) // stride + 1
