"""The description: a RegNet spelled out as layers with names, widths, strides and groups.

The network, the graph, the counting and the checkpoint readers all read this, and nothing of theirs computes a width
or lists a layer on its own. Names are checkpoint keys, in timm's dialect (which is ours), in timm's order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from regnety.architecture import validation
from regnety.architecture.design import MAX_WIDTH, AnyDesign, StageDesign

Shapes: TypeAlias = dict[str, tuple[int, ...]]

BATCH_NORM_EPS = 1e-5
BATCH_NORM_MOMENTUM = 0.1
"""Share of a new batch in the running statistics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNorm:
    """A convolution without bias, batch norm, and ReLU where `relu` says so. Padding keeps size // stride."""

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
            f"{self.name}.bn.num_batches_tracked": (),
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
    """The shortcut's 1x1 convolution, where width or stride changes; else the shortcut is the identity."""

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
        if self.num_classes == 0:
            return {}
        return {
            f"{self.name}.fc.weight": (self.num_classes, self.width_in),
            f"{self.name}.fc.bias": (self.num_classes,),
        }


Layer: TypeAlias = ConvNorm | SqueezeExcitation | Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A whole network: stem, stages, head. Made by `Design.architecture` and `AnyNetDesign.architecture`."""

    design: AnyDesign
    stem: ConvNorm
    stages: tuple[Stage, ...]
    head: Head

    @property
    def in_chans(self) -> int:
        """Channels of the input picture."""
        return self.stem.width_in

    @property
    def num_classes(self) -> int:
        """Outputs of the classifier; 0 where there is none."""
        return self.head.num_classes

    @property
    def num_features(self) -> int:
        """Channels of the pooled features."""
        return self.head.width_in

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks, first to last."""
        return tuple(block for stage in self.stages for block in stage.blocks)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs a reader can give: `stem`, `s1` and so on, `pre_logits`, `logits`."""
        logits = ("logits",) if self.num_classes else ()
        return ("stem", *(stage.name for stage in self.stages), "pre_logits", *logits)

    def layers(self) -> Iterator[Layer]:
        """Every layer that has weights, in the order of its keys."""
        yield self.stem
        for block in self.blocks:
            yield from block.layers()
        yield self.head

    def state_dict_shapes(self) -> Shapes:
        """Every key of a checkpoint to its shape, in order."""
        shapes: Shapes = {}
        for layer in self.layers():
            shapes.update(layer.state_dict_shapes())
        return shapes

    def architecture(self, num_classes: int | None = None, in_chans: int | None = None) -> "Architecture":
        """This architecture, with another classifier or input where asked; so that it serves where a design does."""
        return describe(
            self.design,
            num_classes=self.num_classes if num_classes is None else num_classes,
            in_chans=self.in_chans if in_chans is None else in_chans,
        )


def describe(design: AnyDesign, *, num_classes: int, in_chans: int) -> Architecture:
    """Spell a design out. Use `design.architecture(...)`."""
    num_classes = validation.whole("num_classes", num_classes, 0, MAX_WIDTH)
    in_chans = validation.whole("in_chans", in_chans, 1, MAX_WIDTH)
    stem = ConvNorm(
        name="stem", width_in=in_chans, width_out=design.stem_width, kernel_size=3, stride=design.stem_stride
    )
    stages = []
    width = design.stem_width
    for number, stage in enumerate(design.fitted_stages(), start=1):
        stages.append(_describe_stage(f"s{number}", stage, width_in=width, se_ratio=design.se_ratio))
        width = stage.width
    head = Head(width_in=width, num_classes=num_classes)
    return Architecture(design=design, stem=stem, stages=tuple(stages), head=head)


def _describe_stage(name: str, stage: StageDesign, *, width_in: int, se_ratio: float) -> Stage:
    blocks = []
    for number in range(1, stage.depth + 1):
        first = number == 1
        blocks.append(
            _describe_block(
                f"{name}.b{number}",
                stage,
                width_in=width_in if first else stage.width,
                stride=stage.stride if first else 1,
                se_ratio=se_ratio,
            )
        )
    return Stage(name=name, blocks=tuple(blocks))


def _describe_block(name: str, stage: StageDesign, *, width_in: int, stride: int, se_ratio: float) -> Block:
    inner = stage.inner_width
    se = None
    if se_ratio > 0:
        se = SqueezeExcitation(name=f"{name}.se", width=inner, se_width=round(width_in * se_ratio))
    downsample = None
    if width_in != stage.width or stride != 1:
        downsample = ConvNorm(
            name=f"{name}.downsample", width_in=width_in, width_out=stage.width, stride=stride, relu=False
        )
    return Block(
        name=name,
        conv1=ConvNorm(name=f"{name}.conv1", width_in=width_in, width_out=inner),
        conv2=ConvNorm(
            name=f"{name}.conv2",
            width_in=inner,
            width_out=inner,
            kernel_size=3,
            stride=stride,
            groups=inner // stage.group_width,
        ),
        se=se,
        conv3=ConvNorm(name=f"{name}.conv3", width_in=inner, width_out=stage.width, relu=False),
        downsample=downsample,
    )
