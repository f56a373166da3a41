"""A network that is built as pycls builds its own, under its names."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from regnety.architecture.description import AnyDesign


class PyclsBlock(nn.Module):
    """The module names of pycls's ResBottleneckBlock; widths come from its own rules, not from the description."""

    def __init__(self, w_in: int, w_out: int, stride: int, bot_mul: float, group_w: int, se_r: float) -> None:
        super().__init__()
        w_b = round(w_out * bot_mul)
        if w_in != w_out or stride != 1:
            self.proj = nn.Conv2d(w_in, w_out, 1, stride=stride, bias=False)
            self.bn = nn.BatchNorm2d(w_out)
        layers: list[tuple[str, nn.Module]] = [
            ("a", nn.Conv2d(w_in, w_b, 1, bias=False)),
            ("a_bn", nn.BatchNorm2d(w_b)),
            ("a_af", nn.ReLU()),
            ("b", nn.Conv2d(w_b, w_b, 3, stride=stride, padding=1, groups=w_b // group_w, bias=False)),
            ("b_bn", nn.BatchNorm2d(w_b)),
            ("b_af", nn.ReLU()),
        ]
        if se_r:
            layers.append(("se", PyclsSE(w_b, round(w_in * se_r))))
        layers += [("c", nn.Conv2d(w_b, w_out, 1, bias=False)), ("c_bn", nn.BatchNorm2d(w_out))]
        self.f = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.bn(self.proj(x)) if hasattr(self, "proj") else x
        return torch.relu(shortcut + self.f(x))


class PyclsSE(nn.Module):
    def __init__(self, width: int, se_width: int) -> None:
        super().__init__()
        self.f_ex = nn.Sequential(nn.Conv2d(width, se_width, 1), nn.ReLU(), nn.Conv2d(se_width, width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.f_ex(x.mean((2, 3), keepdim=True))


class PyclsNet(nn.Module):
    """pycls's AnyNet: stem, s1 and so on, head."""

    def __init__(self, design: AnyDesign, num_classes: int) -> None:
        super().__init__()
        stem = nn.Conv2d(3, design.stem_width, 3, stride=design.stem_stride, padding=1, bias=False)
        norm = nn.BatchNorm2d(design.stem_width)
        self.stem = nn.Sequential(OrderedDict(conv=stem, bn=norm, af=nn.ReLU()))
        width = design.stem_width
        for number, stage in enumerate(design.fitted_stages(), start=1):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for index in range(stage.depth):
                blocks[f"b{index + 1}"] = PyclsBlock(
                    width if index == 0 else stage.width,
                    stage.width,
                    stage.stride if index == 0 else 1,
                    stage.bottleneck_multiplier,
                    stage.group_width,
                    design.se_ratio,
                )
            self.add_module(f"s{number}", nn.Sequential(blocks))
            width = stage.width
        self.head = nn.Module()
        self.head.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        *body, head = self.children()
        for stage in body:
            x = stage(x)
        return head.fc(x.mean((2, 3)))
