"""torchvision's wheel wants two operators beside a torch for CPUs; they must be there before timm imports it."""

import torch

library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
library.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
