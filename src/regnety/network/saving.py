"""From a network back to a bundle, which regnety runs without torch, and timm reads where it can build the design."""

from pathlib import Path

from torch import nn

from regnety.architecture.description import Architecture
from regnety.architecture.layers import BATCH_NORM_EPS
from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import TrainingFiles
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.arrays import numpy_weights


def check_describable(
    folder: Path, architecture: Architecture, *, output_stride: int | None, bn_eps: float, global_pool: str
) -> None:
    """Refuse a network that does what no description says: loaded from a bundle, its weights would compute otherwise.

    Args:
        folder: where it was to be saved, for the message.
        architecture: the network's description.
        output_stride: stride of its last map where it is dilated; None where it is not.
        bn_eps: what its batch norms add to the variance.
        global_pool: its pooling.

    Raises:
        WeightsError: it is dilated, pruned, or has another pooling or epsilon.
    """
    obstacle = None
    if architecture != architecture.architecture():
        obstacle = "stages were pruned; save the whole network"
    elif output_stride is not None:
        obstacle = f"it is dilated; make it without output_stride={output_stride}"
    elif bn_eps != BATCH_NORM_EPS:
        obstacle = f"bn_eps is {bn_eps:g}; every RegNet's is {BATCH_NORM_EPS:g}"
    elif global_pool != "avg":
        obstacle = f"global_pool is {global_pool!r}; reset_classifier(..., global_pool='avg') before saving"
    if obstacle is not None:
        raise WeightsError(f"{folder}: a bundle cannot say that {obstacle}")


def save_network(
    network: nn.Module, folder: Path, metadata: ModelMetadata, *, training_files: TrainingFiles | None
) -> Path:
    """Write a network's weights and what is said of them as a bundle.

    Raises:
        WeightsError: something else stands at that place.
    """
    bundle = Bundle(metadata, numpy_weights(network), name=folder.resolve().name, training_files=training_files)
    bundle.save(folder)
    bundle.say_if_not_for_timm(folder)
    return folder
