"""`create_model`: from a name, a design or a bundle to the torch module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.bundle.bundle import Bundle
from regnety.bundle.data_config import pretrained_cfg_of
from regnety.bundle.resolver import resolve
from regnety.catalog.models import is_name, model_info
from regnety.errors import UnknownModelError, WeightsError
from regnety.network.initialization import Initialization, initialize
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing


def create_model(
    model: "str | Path | Design | AnyNetDesign | Architecture | Bundle",
    *,
    pretrained: bool | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    initialization: Initialization = "timm",
    generator: torch.Generator | None = None,
) -> RegNet:
    """Build the torch module of a model, with timm's keys.

    Args:
        model: a name (`regnety_002`, `regnety_032.tv2_in1k`), a design, an architecture, a bundle, its folder or a
            `.safetensors` file.
        pretrained: load weights. A name or design has random ones unless this is True, as in timm; a bundle always
            brings its own, and False there is an error.
        num_classes: outputs of the classifier; None is the model's own, 1000 for a design. With weights of another
            count the classifier stays random. 0 leaves it away.
        in_chans: channels of the input; None is the model's own, 3 for a design.
        initialization: how random weights are drawn, `timm` or `pycls` (`initialization.initialize`).
        generator: where they come from; None is torch's global generator.

    Returns:
        The network in training mode, on the default device: [N, in_chans, height, width] -> [N, num_classes].

    Raises:
        UnknownModelError: no such name, or its weights are not on this disk.
        WeightsError: the weights do not fit, or `pretrained` contradicts the model.
        InvalidDesignError: num_classes or in_chans is not allowed.
    """
    bundle = _bundle(model, pretrained)
    if bundle is not None:
        described = bundle.architecture
    elif isinstance(model, str):
        info = model_info(model)
        described = info.design.architecture(info.num_classes)
    else:
        assert isinstance(model, Design | AnyNetDesign | Architecture)
        described = model.architecture()
    architecture = described.architecture(num_classes, in_chans)
    network = RegNet(architecture)
    shown = bundle or (model if isinstance(model, str) else Preprocessing())  # a design does not say how it is shown
    network.pretrained_cfg = pretrained_cfg_of(
        shown, num_classes=architecture.num_classes, in_chans=architecture.in_chans
    )
    initialize(network, initialization, generator=generator)
    if bundle is not None:
        if architecture.in_chans != described.in_chans:
            raise WeightsError(
                f"{bundle.name}: its weights take {described.in_chans} input channels, in_chans={in_chans} does not fit"
            )
        load_weights(network, bundle.weights, skip_classifier=architecture.num_classes != described.num_classes)
    return network


def load_weights(network: RegNet, weights: Mapping[str, Any], *, skip_classifier: bool = False) -> None:
    """Copy NumPy arrays into a network whose description they were checked against.

    Args:
        network: the network to fill.
        weights: key to array; `num_batches_tracked` may be absent.
        skip_classifier: leave the classifier as it is, where the number of classes differs.
    """
    head = f"{network.architecture.head.name}."
    arrays = {key: np.array(weights[key]) for key in weights if not (skip_classifier and key.startswith(head))}
    own = network.state_dict()
    network.load_state_dict({key: torch.from_numpy(arrays[key]) if key in arrays else own[key] for key in own})


def numpy_weights(network: torch.nn.Module) -> dict[str, Any]:
    """A network's state dict as NumPy arrays, key by key: what `build_graph` and `Bundle` take."""
    return {key: value.detach().cpu().contiguous().numpy() for key, value in network.state_dict().items()}


def _bundle(model: object, pretrained: bool | None) -> Bundle | None:
    """The bundle whose weights are wanted, or None for random ones."""
    if isinstance(model, Design | AnyNetDesign | Architecture):
        if pretrained:
            raise WeightsError("a design has no weights; pretrained=True wants the name or the folder of a model")
        return None
    if isinstance(model, str) and is_name(model):
        return resolve(model) if pretrained else None
    if not isinstance(model, str | Path | Bundle):
        raise UnknownModelError(f"a model is a name, a design, a bundle or its folder, got {type(model).__name__}")
    bundle = resolve(model)
    if pretrained is False:
        raise WeightsError(f"{model}: a bundle brings its weights; pretrained=False contradicts it")
    return bundle
