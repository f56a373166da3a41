"""The layers of a RegNet, each made from its part of the description and from nothing else.

Module and attribute names are the checkpoint keys of the description (timm's); shapes are torch's: [N, C, H, W].
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regnety.architecture.layers import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, Block, ConvNorm, SqueezeExcitation, Stage
from regnety.network.checkpointing import run_checkpointed
from regnety.network.dilation import StageSampling
from regnety.network.drop_path import DropPath


class ConvNormAct(nn.Module):
    """Convolution, batch norm, and ReLU where the description has one.

    Args:
        layer: its part of the description.
        stride: in place of the description's, where the network is dilated.
        dilation: steps between the kernel's taps.
    """

    def __init__(self, layer: ConvNorm, *, stride: int | None = None, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            layer.width_in,
            layer.width_out,
            layer.kernel_size,
            stride=layer.stride if stride is None else stride,
            padding=layer.kernel_size // 2 * dilation,
            dilation=dilation,
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
    """The residual block.

    Args:
        block: its part of the description.
        stride: of the 3x3 convolution and the shortcut.
        dilation: of the 3x3 convolution.
        drop_path_rate: how often training leaves the residual out.
    """

    def __init__(self, block: Block, *, stride: int, dilation: int, drop_path_rate: float) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(block.conv1)
        self.conv2 = ConvNormAct(block.conv2, stride=stride, dilation=dilation)
        self.se = SqueezeExcite(block.se) if block.se is not None else nn.Identity()
        self.conv3 = ConvNormAct(block.conv3)
        self.downsample = (
            ConvNormAct(block.downsample, stride=stride) if block.downsample is not None else nn.Identity()
        )
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""
        residual = self.conv3(self.se(self.conv2(self.conv1(x))))
        return torch.relu(self.drop_path(residual) + self.downsample(x))


class RegStage(nn.Sequential):
    """The blocks of one stage, as children `b1`, `b2` and so on.

    Args:
        stage: its part of the description.
        sampling: stride and dilation of its blocks.
        drop_path_rates: one a block.
    """

    def __init__(self, stage: Stage, sampling: StageSampling, drop_path_rates: Sequence[float]) -> None:
        super().__init__()
        self.grad_checkpointing = False
        for number, (block, rate) in enumerate(zip(stage.blocks, drop_path_rates, strict=True), start=1):
            first = number == 1
            module = Bottleneck(
                block,
                stride=sampling.stride if first else 1,
                dilation=sampling.first_dilation if first else sampling.dilation,
                drop_path_rate=rate,
            )
            self.add_module(f"b{number}", module)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""
        if self.grad_checkpointing and not torch.jit.is_scripting():  # type: ignore[attr-defined]
            for block in self:
                x = run_checkpointed(block, x)
        else:
            for block in self:
                x = block(x)
        return x


def set_grad_checkpointing(model: nn.Module, enable: bool) -> None:
    """Switch gradient checkpointing on or off in every stage of a network."""
    for module in model.children():
        if isinstance(module, RegStage):
            module.grad_checkpointing = enable
