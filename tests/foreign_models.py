"""ONNX files of RegNets that regnety did not write: torch's own exporter on our network."""

import warnings
from pathlib import Path
from typing import Any

import torch

from numerics import lively_network
from regnety.network.modules import RegNet


def export_with_torch(
    network: torch.nn.Module, path: Path, *, size: int = 64, in_chans: int = 3, **options: Any
) -> Path:
    """The exporter that needs no further package, with batch norm folded unless the options say otherwise."""
    images = torch.zeros(1, in_chans, size, size)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(network, (images,), str(path), dynamo=False, opset_version=17, **options)
    return path


def unfolded() -> dict[str, Any]:
    """Options with which batch norm stays in the graph."""
    return {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}


def foreign_network(name: str = "regnety_002", **arguments: Any) -> RegNet:
    """A network of the catalogue with lively weights."""
    return lively_network(name, **arguments)
