"""`create_model`: from a name, a design or a bundle to the torch module."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import nn

from regnety.bundle.bundle import Bundle
from regnety.bundle.data_config import pretrained_cfg_of
from regnety.catalog.published import published_models
from regnety.errors import InvalidDesignError, UnknownModelError, WeightsError
from regnety.network.arrays import load_weights as load_weights
from regnety.network.arrays import numpy_weights as numpy_weights
from regnety.network.extractor import FeatureExtractor
from regnety.network.initialization import Initialization, initialize
from regnety.network.modules import RegNet
from regnety.network.origin import Origin
from regnety.network.sources import Model, find_source
from regnety.network.timm_arguments import translated
from regnety.weights.stem import adapt_input_channels

logger = logging.getLogger("regnety")


@overload
def create_model(
    model: Model | None = None,
    pretrained: bool | None = None,
    *,
    model_name: Model | None = None,
    pretrained_cfg: str | Mapping[str, Any] | None = None,
    pretrained_cfg_overlay: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: Literal[False] = False,
    out_indices: None = None,
    output_stride: int | None = None,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    global_pool: str | None = None,
    bn_momentum: float | None = None,
    bn_eps: float | None = None,
    checkpoint_path: str | Path | None = None,
    scriptable: bool | None = None,
    exportable: bool | None = None,
    no_jit: bool | None = None,
    initialization: Initialization = "timm",
    generator: torch.Generator | None = None,
) -> RegNet: ...


@overload
def create_model(
    model: Model | None = None,
    pretrained: bool | None = None,
    *,
    model_name: Model | None = None,
    pretrained_cfg: str | Mapping[str, Any] | None = None,
    pretrained_cfg_overlay: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: Literal[True],
    out_indices: int | Sequence[int] | None = None,
    output_stride: int | None = None,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    global_pool: str | None = None,
    bn_momentum: float | None = None,
    bn_eps: float | None = None,
    checkpoint_path: str | Path | None = None,
    scriptable: bool | None = None,
    exportable: bool | None = None,
    no_jit: bool | None = None,
    initialization: Initialization = "timm",
    generator: torch.Generator | None = None,
) -> FeatureExtractor: ...


def create_model(
    model: Model | None = None,
    pretrained: bool | None = None,
    *,
    model_name: Model | None = None,
    pretrained_cfg: str | Mapping[str, Any] | None = None,
    pretrained_cfg_overlay: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: bool = False,
    out_indices: int | Sequence[int] | None = None,
    output_stride: int | None = None,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    global_pool: str | None = None,
    bn_momentum: float | None = None,
    bn_eps: float | None = None,
    checkpoint_path: str | Path | None = None,
    initialization: Initialization = "timm",
    generator: torch.Generator | None = None,
    **others: Any,
) -> RegNet | FeatureExtractor:
    """Build the torch module of a model, with timm's keys.

    Args:
        model: a name (`regnety_002`, `regnety_032.tv2_in1k`), a design, an architecture, a bundle, its folder or a
            checkpoint file.
        model_name: timm's word for `model`.
        pretrained: load weights. A name or design has random ones unless this is True, as in timm; a bundle always has
            its own, and False is an error there.
        pretrained_cfg: as in timm: the tag of published weights (`tv2_in1k`), or a table in place of the model's own
            `pretrained_cfg`. With `pretrained=True` the weights are in its `file`, or else in the repository
            `hf_hub_id`; the network takes its `input_size`, `mean`, `std`, `crop_pct` and `interpolation`.
        pretrained_cfg_overlay: entries that replace those of the model's own table, most often `{"file": PATH}`.
        num_classes: outputs of the classifier; None is the model's own number, 1000 for a design. With weights for
            another number the classifier stays random, and the log says so. 0 means no classifier.
        in_chans: channels of the input; None is the model's own number, 3 for a design. Weights for 3 channels are
            adapted to any other number (`adapt_input_channels`).
        features_only: return the maps of the stem and the stages instead of logits.
        out_indices: which maps: 0 is the stem, 1 the first stage; negative ones count from the end, a single number is
            the number of last maps, and None means all.
        output_stride: largest stride of a map, in pixels of the image; beyond it stages dilate instead of striding. 8,
            16 or 32 for the published models, which have 32; None keeps the strides of the design.
        drop_rate: dropout before the classifier, 0 to 1; None is 0.
        drop_path_rate: stochastic depth of the last block, 0 to 1; it rises linearly from 0 in the first. None is 0.
        global_pool: `avg`, `max`, `avgmax` (the mean of both), `catavgmax` (both), or "" for none, which needs
            `num_classes=0`; None is `avg`.
        bn_momentum: share of a new batch in the running statistics of batch norm; None is 0.1.
        bn_eps: added to the variance in batch norm; None is 1e-5.
        checkpoint_path: weights for a name or design: a bundle's folder, or a file; "" is None, as in timm.
        initialization: how random weights are drawn, `timm` or `pycls` (`initialization.initialize`).
        generator: of the random numbers; None is torch's global one.
        others: timm's other arguments. `scriptable`, `exportable` and `no_jit` have no effect, as every network here
            can be scripted and exported; others are refused unless they ask for what every network here has.

    Returns:
        The network in training mode, on the default device: [N, in_chans, height, width] -> [N, num_classes], or with
        `features_only` a list of maps [N, channels, height / reduction, width / reduction].

    Raises:
        UnknownModelError: no such name, or its weights are not on this disk.
        WeightsError: the weights do not fit, or arguments contradict each other about them.
        InvalidDesignError: another argument is not allowed.
    """
    if out_indices is not None and not features_only:
        raise InvalidDesignError(f"out_indices={out_indices!r} needs features_only=True")
    if (model is None) == (model_name is None):
        raise UnknownModelError("create_model needs a model: a name, a design, or the path of a file or folder")
    request = translated(
        model if model_name is None else model_name,  # type: ignore[arg-type]
        pretrained=pretrained,
        checkpoint_path=checkpoint_path or None,
        pretrained_cfg=pretrained_cfg,
        overlay=pretrained_cfg_overlay,
        others=others,
    )
    source = find_source(request.model, pretrained=request.pretrained, checkpoint_path=request.checkpoint_path)
    if request.pretrained and isinstance(request.model, str):
        _warn_of_timms_other_weights(request.model)
    num_classes = request.num_classes if num_classes is None else num_classes
    in_chans = request.in_chans if in_chans is None else in_chans
    architecture = source.architecture.architecture(0 if features_only else num_classes, in_chans)
    device = torch.get_default_device()
    # On the meta device modules have no memory: random weights that the bundle's replace are never drawn.
    with torch.device(device if source.bundle is None else "meta"):
        network = RegNet(
            architecture,
            output_stride=output_stride,
            global_pool="avg" if global_pool is None else global_pool,
            drop_rate=drop_rate or 0.0,
            drop_path_rate=drop_path_rate or 0.0,
        )
    _set_batch_norm(network, bn_momentum, bn_eps)
    network.preprocessing = source.preprocessing.for_channels(architecture.in_chans)
    network.pretrained_cfg = pretrained_cfg_of(
        source.described_by, num_classes=architecture.num_classes, in_chans=architecture.in_chans
    )
    if request.cfg:
        network.pretrained_cfg, preprocessing = request.resolved_cfg(network.pretrained_cfg)
        network.preprocessing = preprocessing.for_channels(architecture.in_chans)
    result = FeatureExtractor(network, out_indices) if features_only else network
    if source.bundle is not None and source.bundle.notice is not None:
        logger.info("%s", source.bundle.notice)
    if source.bundle is None:
        initialize(result, initialization, generator=generator)
        return result
    result.to_empty(device=device)
    for module in result.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()  # weights may lack `num_batches_tracked`, which holds garbage now
    initialize(network.head, initialization, generator=generator)  # kept where the weights have another classifier
    network.provenance = source.bundle.provenance
    network.training_files = source.bundle.training_files
    skip = {*_fit_stem(network, source.bundle), *_fit_classifier(network, source.bundle)}
    load_weights(result, source.bundle.weights, skip=skip)
    network.origin = Origin(network.labels, network.provenance, network.head.fc)
    return result


@cache  # one line for each name in a process
def _warn_of_timms_other_weights(name: str) -> None:
    """Warn where timm's plain name means other weights than ours: 8 of the model page's 12 names.

    Ours mean the weights of the model page for good; timm moved its default to better weights with time.
    """
    published = published_models().get(name)
    if published is not None and published.timm_default_tag != published.default_tag:
        logger.warning(
            "%s has the weights of the model page, %s.%s; in timm the plain name has %s.%s",
            *(name, name, published.default_tag, name, published.timm_default_tag),
        )


def _set_batch_norm(network: RegNet, momentum: float | None, eps: float | None) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = module.momentum if momentum is None else momentum
            module.eps = module.eps if eps is None else eps


def _fit_stem(network: RegNet, bundle: Bundle) -> tuple[str, ...]:
    """Adapt the stem's weights to another number of input channels; the answer is the key that is loaded by it."""
    found, wanted = bundle.architecture.in_chans, network.in_chans
    if found == wanted:
        return ()
    if found != 3:
        raise WeightsError(
            f"{bundle.name}: its weights are for {found} input channels, in_chans is {wanted}; only weights for 3 "
            "channels can be adapted"
        )
    key = f"{network.architecture.stem.name}.conv.weight"
    kernel = adapt_input_channels(np.asarray(bundle.weights[key]), wanted)
    load_weights(network.stem, {"conv.weight": kernel}, skip=network.stem.bn.state_dict(prefix="bn."))
    return (key,)


def _fit_classifier(network: RegNet, bundle: Bundle) -> tuple[str, ...]:
    """Take the class names with the classifier, or neither; the answer is the keys that must not be loaded."""
    classifier, described = network.head.fc, bundle.architecture.head
    found = (described.num_classes, described.width_in)
    if not isinstance(classifier, nn.Linear):
        return ()
    wanted = tuple(classifier.weight.shape)
    if wanted == found:
        network.labels = bundle.labels
        return ()
    theirs = f"the weights' is {found}" if described.num_classes else "the weights have none"
    logger.warning("%s: the classifier %s.fc is %s and stays random: %s", bundle.name, described.name, wanted, theirs)
    return tuple(f"{described.name}.fc.{name}" for name, _ in classifier.named_parameters())
