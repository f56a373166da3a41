"""The torch modules of a RegNet, each made from its part of the description and from nothing else.

Module and attribute names are the checkpoint keys of the description (timm's); shapes are torch's: [N, C, H, W].
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from regnety.architecture.description import (
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Architecture,
    Block,
    ConvNorm,
    Head,
    SqueezeExcitation,
    Stage,
)


class ConvNormAct(nn.Module):
    """Convolution, batch norm, and ReLU where the description has one."""

    def __init__(self, layer: ConvNorm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            layer.width_in,
            layer.width_out,
            layer.kernel_size,
            stride=layer.stride,
            padding=layer.kernel_size // 2,
            groups=layer.groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(layer.width_out, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
        self.act = nn.ReLU(inplace=True) if layer.relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width_out, ceil(H / stride), ceil(W / stride)]."""
        result: Tensor = self.act(self.bn(self.conv(x)))
        return result


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from the average of all of them."""

    def __init__(self, layer: SqueezeExcitation) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(layer.width, layer.se_width, 1)
        self.fc2 = nn.Conv2d(layer.se_width, layer.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        gate = self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class Bottleneck(nn.Module):
    """The residual block."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(block.conv1)
        self.conv2 = ConvNormAct(block.conv2)
        self.se = SqueezeExcite(block.se) if block.se is not None else nn.Identity()
        self.conv3 = ConvNormAct(block.conv3)
        self.downsample = ConvNormAct(block.downsample) if block.downsample is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""
        residual = self.conv3(self.se(self.conv2(self.conv1(x))))
        return torch.relu(residual + self.downsample(x))


class RegStage(nn.Sequential):
    """The blocks of one stage, as children `b1`, `b2` and so on."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        for number, block in enumerate(stage.blocks, start=1):
            self.add_module(f"b{number}", Bottleneck(block))


class ClassifierHead(nn.Module):
    """Global average pooling and the linear classifier, which num_classes = 0 leaves away."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.fc = nn.Linear(head.width_in, head.num_classes) if head.num_classes else nn.Identity()

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """[N, C, H, W] -> logits [N, num_classes], or the pooled features [N, C]."""
        pooled = x.mean((2, 3))
        return pooled if pre_logits else self.fc(pooled)


class RegNet(nn.Module):
    """A RegNet with the keys of timm's. Made by `regnety.create_model`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.pretrained_cfg: dict[str, Any] = {}
        """timm's table of what the model wants to be shown; `resolve_data_config` reads it."""
        self.stem = ConvNormAct(architecture.stem)
        for stage in architecture.stages:
            self.add_module(stage.name, RegStage(stage))
        self.head = ClassifierHead(architecture.head)

    @property
    def num_classes(self) -> int:
        """Outputs of the classifier."""
        return self.architecture.num_classes

    @property
    def num_features(self) -> int:
        """Channels of the pooled features."""
        return self.architecture.num_features

    def stages(self) -> Iterator[tuple[str, nn.Module]]:
        """The stem and the stages with their names, in the order in which they run."""
        yield "stem", self.stem
        for stage in self.architecture.stages:
            yield stage.name, getattr(self, stage.name)

    def forward_features(self, x: Tensor) -> Tensor:
        """Images [N, in_chans, H, W] -> the last stage's features [N, num_features, H / 32, W / 32]."""
        for _, stage in self.stages():
            x = stage(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last stage's features -> logits [N, num_classes], or the pooled features [N, num_features]."""
        result: Tensor = self.head(x, pre_logits=pre_logits)
        return result

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, in_chans, H, W] -> logits [N, num_classes]."""
        return self.forward_head(self.forward_features(x))

    def forward_named(self, x: Tensor) -> dict[str, Tensor]:
        """Every output that the description names: `stem`, `s1` and so on, `pre_logits`, `logits`."""
        outputs = {}
        for name, stage in self.stages():
            x = stage(x)
            outputs[name] = x
        outputs["pre_logits"] = self.head(x, pre_logits=True)
        if self.num_classes:
            outputs["logits"] = self.head.fc(outputs["pre_logits"])
        return outputs
