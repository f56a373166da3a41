"""From a network back to a bundle, which regnety runs without torch, and timm reads where it can build the design."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regnety.architecture.description import BATCH_NORM_EPS
from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.arrays import numpy_weights
from regnety.preprocessing import Preprocessing

if TYPE_CHECKING:
    from regnety.network.modules import RegNet

logger = logging.getLogger("regnety")


def save_network(
    network: "RegNet",
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """What `RegNet.save_pretrained` does."""
    folder = Path(folder)
    if obstacle := _obstacle(network):
        raise WeightsError(f"{folder}: a bundle cannot say that {obstacle}")
    if network.stem.conv.weight.is_meta:
        raise WeightsError(f"{folder}: the network is on the meta device, where it has no weights to save")
    labels = _labels_of(network, folder) if labels is None else labels
    metadata = ModelMetadata(
        design=network.architecture.design,
        num_classes=network.num_classes,
        in_chans=network.in_chans,
        preprocessing=network.preprocessing if preprocessing is None else preprocessing,
        labels=None if labels is None else tuple(labels),
        provenance=_provenance_of(network) if provenance is None else provenance,
    )
    weights, name = numpy_weights(network), folder.resolve().name
    bundle = Bundle(metadata, weights, name=name, training_files=network.training_files)
    bundle.save(folder)
    bundle.say_if_not_for_timm(folder)
    return folder


def _labels_of(network: "RegNet", folder: Path) -> tuple[str, ...] | None:
    """The names of the classes, unless they came with a classifier that is another one by now."""
    origin = network.origin
    if origin is None or network.labels is None or network.labels is not origin.labels or origin.is_of(network.head.fc):
        return network.labels
    logger.warning(
        "%s: is saved without class names: the classifier has been trained since they came with it; "
        "give labels=model.labels if they still hold, or labels=[...]",
        folder,
    )
    return None


def _provenance_of(network: "RegNet") -> Mapping[str, Any]:
    """Where the weights are from; of a classifier that is another one by now neither data nor figures hold."""
    origin = network.origin
    if origin is None or network.provenance is not origin.provenance or origin.is_of(network.head.fc):
        return network.provenance
    return {name: value for name, value in network.provenance.items() if name.startswith("license")}


def _obstacle(network: "RegNet") -> str | None:
    """What the network does that its description does not say: whoever loads the bundle would compute otherwise."""
    if network.architecture != network.architecture.architecture():
        return "stages were pruned; save the whole network"
    if network.dilated:
        return f"it is dilated; make it without output_stride={network.feature_info[-1]['reduction']}"
    if network.stem.bn.eps != BATCH_NORM_EPS:
        return f"bn_eps is {network.stem.bn.eps:g}; every RegNet's is {BATCH_NORM_EPS:g}"
    if network.head.global_pool != "avg":
        return f"global_pool is {network.head.global_pool!r}; reset_classifier(..., global_pool='avg') before saving"
    return None
