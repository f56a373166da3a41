"""What a classifier sees of pictures while the network below it is trained."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from regnety.network.modules import RegNet
from regnety.training.batch_plan import Batch, Targets
from regnety.training.device_batches import TensorBatch
from regnety.training.devices import Arithmetic, Device
from regnety.training.input_normalization import InputNormalization
from regnety.training.loop import on_device

Features: TypeAlias = npt.NDArray[np.float32]


@torch.no_grad()
def features_in_training(
    model: RegNet,
    batches: Iterable[Batch | TensorBatch],
    *,
    normalize: InputNormalization,
    device: Device,
    arithmetic: Arithmetic,
    keep_statistics: bool,
) -> tuple[Features, Targets]:
    """Pooled features of augmented pictures, [N, num_features], and their classes [N].

    Batch norm uses the statistics of each batch, as in training, and has their mean over all batches afterwards. With
    `keep_statistics` it uses and keeps those that it has.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    model.train(not keep_statistics)
    if not keep_statistics:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
    features, targets = [], []
    for pixels, classes in batches:
        with device.autocast(arithmetic):
            last_map = model.forward_features(normalize(on_device(pixels, device)))
            pooled = model.forward_head(last_map, pre_logits=True)
        features.append(pooled.float().cpu().numpy())
        targets.append(on_device(classes, device).cpu().numpy())
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return np.concatenate(features), np.concatenate(targets)
