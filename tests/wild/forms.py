"""The same weights in every form that files have."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file

from foreign_models import export_with_torch, foreign_network
from regnety.bundle.bundle import Bundle
from regnety.export.model_export import export_model
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.arrays import numpy_weights
from regnety.preprocessing import Preprocessing
from wild.network import CLASSES, DESIGN, network, saved, state


def parameters(folder: Path) -> Path:
    """Parameters instead of plain tensors, as model.named_parameters() gives them."""
    weights = {**state(), **dict(network().requires_grad_().named_parameters())}
    return saved(weights, folder / "weights.pt")


def cast(folder: Path, dtype: torch.dtype) -> Path:
    weights = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state().items()}
    return saved(weights, folder / "weights.pth")


def on_cuda(folder: Path) -> Path:
    with patch("torch.serialization.location_tag", lambda storage: "cuda:1"):
        return saved(state(), folder / "weights.pth")


def channels_last(folder: Path) -> Path:
    def laid_out(value: torch.Tensor) -> torch.Tensor:
        return value.to(memory_format=torch.channels_last) if value.ndim == 4 else value

    return saved({key: laid_out(value) for key, value in state().items()}, folder / "weights.pth")


def safetensors(folder: Path, name: str = "weights.safetensors") -> Path:
    save_file(state(), folder / name, metadata={"format": "pt"})
    return folder / name


def sharded(folder: Path, pattern: str) -> Path:
    """By huggingface_hub, as accelerate and transformers do."""
    from huggingface_hub import save_torch_state_dict

    save_torch_state_dict(
        state(),
        folder,
        filename_pattern=pattern,
        max_shard_size="60KB",
        safe_serialization=pattern.endswith("safetensors"),
    )
    return folder / f"{pattern.replace('{suffix}', '')}.index.json"


# Graphs


def torchs_onnx(folder: Path) -> Path:
    return export_with_torch(foreign_network(), folder / "regnety_002.onnx", size=224)


def own_bundle() -> Bundle:
    """The network with names and a size of its own."""
    metadata = ModelMetadata(
        design=DESIGN, num_classes=10, in_chans=3, preprocessing=Preprocessing(image_size=96), labels=CLASSES
    )
    return Bundle(metadata, numpy_weights(network()), name="insects")


def own_graph(folder: Path, *_: Any, name: str) -> Path:
    return export_model(own_bundle(), folder / name).path


def folder_of_a_graph(folder: Path) -> Path:
    """What is left where only the graph is put on a machine."""
    path = export_model(own_bundle(), folder / "insects").path
    (path / "model.safetensors").unlink()
    return path
