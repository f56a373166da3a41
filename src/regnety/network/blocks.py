"""The layers of a RegNet (Radosavovic et al. 2020, arXiv:2003.13678), each made from its part of the description.

Module and attribute names are the checkpoint keys of the description, which are timm's; shapes are torch's, as
[N, C, H, W]. The widths w_in, w, w_se are the description's: no layer here computes one.
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
            padding=layer.kernel_size // 2 * dilation,  # keeps H and W at stride 1; 0 for 1x1
            dilation=dilation,
            groups=layer.groups,
            bias=False,  # the batch norm's shift does the same
        )
        self.bn = nn.BatchNorm2d(layer.width_out, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
        self.act = nn.ReLU(inplace=True) if layer.relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width_out, ceil(H / stride), ceil(W / stride)]."""
        # ReLU may work in place: the backward pass of batch norm needs its input, not its output.
        result: Tensor = self.act(self.bn(self.conv(x)))
        return result


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate from 0 to 1, computed from the means of all channels (Hu et al. 2018).

    In a RegNetY the squeeze has a quarter of the width that *enters the block*, not of the width it works on.
    """

    def __init__(self, layer: SqueezeExcitation) -> None:
        super().__init__()
        # Linear layers, written as 1x1 convolutions: their checkpoint weights have four dimensions.
        self.fc1 = nn.Conv2d(layer.width, layer.se_width, 1)
        self.fc2 = nn.Conv2d(layer.se_width, layer.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        means = x.mean((2, 3), keepdim=True)  # [N, C, 1, 1]
        gate = self.fc2(torch.relu(self.fc1(means)))  # -> [N, w_se, 1, 1] -> [N, C, 1, 1]
        return x * torch.sigmoid(gate)


class Bottleneck(nn.Module):
    """The X or Y block (figure 4 of the paper): 1x1, grouped 3x3 and 1x1 convolutions beside a shortcut.

    Args:
        block: its part of the description.
        stride: of the 3x3 convolution and the shortcut.
        dilation: of the 3x3 convolution.
        drop_path_rate: probability with which training skips the residual of a sample.
    """

    def __init__(self, block: Block, *, stride: int, dilation: int, drop_path_rate: float) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(block.conv1)
        self.conv2 = ConvNormAct(block.conv2, stride=stride, dilation=dilation)
        # After the 3x3, where the paper has it, and on its width. A RegNetX has none.
        self.se = SqueezeExcite(block.se) if block.se is not None else nn.Identity()
        self.conv3 = ConvNormAct(block.conv3)
        # timm's key for the shortcut's projection, which is there where width or stride changes.
        self.downsample = (
            ConvNormAct(block.downsample, stride=stride) if block.downsample is not None else nn.Identity()
        )
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""
        residual = self.conv1(x)  # [N, w * b, H, W]: b is 1 in every published model, so nothing is narrowed
        residual = self.conv2(residual)  # [N, w * b, H / stride, W / stride]
        residual = self.conv3(self.se(residual))  # [N, w, H / stride, W / stride]; conv3 has no ReLU
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
            first = number == 1  # only the first block of a stage strides
            module = Bottleneck(
                block,
                stride=sampling.stride if first else 1,
                dilation=sampling.first_dilation if first else sampling.dilation,
                drop_path_rate=rate,
            )
            self.add_module(f"b{number}", module)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""
        # TorchScript cannot compile checkpointing, and needs none: a scripted network is not trained.
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
