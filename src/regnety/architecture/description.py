"""The description: a design spelled out as a whole network, layer by layer.

The network, the graph, the counting and the checkpoint readers all read this, and nothing of theirs computes a width
or lists a layer on its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from regnety.architecture import validation
from regnety.architecture.layers import Block, ConvNorm, Head, Layer, Shapes, SqueezeExcitation, Stage, output_side
from regnety.architecture.stages import MAX_STRIDE, MAX_WIDTH, StageDesign, assign
from regnety.errors import InvalidDesignError

MAX_SIDE = 1 << 16
"""Of a picture, in pixels; beyond it a count would mean nothing."""


class AnyDesign(ABC):
    """What both kinds of design are: `Design`, six numbers, and `AnyNetDesign`, a table of stages."""

    __slots__ = ()  # without it the dataclasses below would have a __dict__ in spite of their slots

    se_ratio: float
    stem_width: int
    stem_stride: int
    group_min_ratio: float

    @abstractmethod
    def fitted_stages(self) -> tuple[StageDesign, ...]:
        """The stages, with widths and group widths fitted to each other."""

    @abstractmethod
    def paper_violations(self) -> tuple[str, ...]:
        """Which of the paper's restrictions on RegNetX and RegNetY this design breaks, a sentence each."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; `design_from_dict` reads them back."""

    def architecture(self, num_classes: int = 1000, in_chans: int = 3) -> "Architecture":
        """Spell the design out, layer by layer.

        Args:
            num_classes: outputs of the classifier; 0 omits it, and the network ends with pooled features.
            in_chans: channels of the input picture.
        """
        return _describe(self, num_classes=num_classes, in_chans=in_chans)

    def _check_shared(self) -> None:
        assign(self, "se_ratio", validation.real("se_ratio", self.se_ratio, 0, 16))
        assign(self, "stem_width", validation.whole("stem_width", self.stem_width, 1, MAX_WIDTH))
        assign(self, "stem_stride", validation.whole("stem_stride", self.stem_stride, 1, MAX_STRIDE))
        assign(self, "group_min_ratio", validation.real("group_min_ratio", self.group_min_ratio, 0, 1))

    def _check_squeeze(self) -> None:
        """Every block must squeeze to at least one channel; the squeeze width follows the width that enters a block."""
        stages = self.fitted_stages()
        entering = [self.stem_width, *(stage.width for stage in stages[:-1])]
        entering += [stage.width for stage in stages[-1:] if stage.depth > 1]
        narrowest = min(entering)
        if self.se_ratio > 0 and round(narrowest * self.se_ratio) < 1:
            raise InvalidDesignError(
                f"se_ratio {self.se_ratio:g} of the {narrowest} channels that enter the narrowest block rounds to "
                f"none; allowed: 0, or a ratio above {0.5 / narrowest:g}"
            )


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
        """Outputs of the classifier; 0 if there is none."""
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
        """Names of the outputs that can be asked for: `stem`, `s1` and so on, `pre_logits`, `logits`."""
        logits = ("logits",) if self.num_classes else ()
        return ("stem", *(stage.name for stage in self.stages), "pre_logits", *logits)

    def output_shapes(self, image_size: int | tuple[int, int] | None = None) -> dict[str, tuple[int | str, ...]]:
        """Shape of every output, without the batch.

        Args:
            image_size: side of a square input in pixels, or (height, width); None gives the height and width of
                feature maps as words.
        """
        shapes: dict[str, tuple[int | str, ...]] = {}
        sides = None if image_size is None else validation.sides("image_size", image_size, MAX_SIDE)
        for name, channels, strides in (
            ("stem", self.stem.width_out, (self.stem.stride,)),
            *((stage.name, stage.width, tuple(block.stride for block in stage.blocks)) for stage in self.stages),
        ):
            if sides is None:
                shapes[name] = (channels, f"{name}_height", f"{name}_width")
                continue
            for stride in strides:
                sides = (output_side(sides[0], stride), output_side(sides[1], stride))
            shapes[name] = (channels, *sides)
        shapes["pre_logits"] = (self.num_features,)
        if self.num_classes:
            shapes["logits"] = (self.num_classes,)
        return shapes

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
        """This architecture, or one with another classifier or input; so it can be passed where a design is taken."""
        return _describe(
            self.design,
            num_classes=self.num_classes if num_classes is None else num_classes,
            in_chans=self.in_chans if in_chans is None else in_chans,
        )


def _describe(design: AnyDesign, *, num_classes: int, in_chans: int) -> Architecture:
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
    first = _describe_block(f"{name}.b1", stage, width_in=width_in, stride=stage.stride, se_ratio=se_ratio)
    others = (
        _describe_block(f"{name}.b{number}", stage, width_in=stage.width, stride=1, se_ratio=se_ratio)
        for number in range(2, stage.depth + 1)
    )
    return Stage(name=name, blocks=(first, *others))


def _describe_block(name: str, stage: StageDesign, *, width_in: int, stride: int, se_ratio: float) -> Block:
    inner = stage.inner_width
    se = None
    if se_ratio > 0:
        # of the width that enters the block, not of its inner width; so pycls, timm and torchvision
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
