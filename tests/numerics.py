"""Networks that compute something worth comparing, and how far two answers are apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from regnety.architecture.description import AnyDesign, Architecture
from regnety.graph.builder import graph_bytes
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.network.creation import create_model
from regnety.network.modules import RegNet


def relative_error(found: npt.ArrayLike, wanted: npt.ArrayLike) -> float:
    """Largest difference over largest value."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{found.shape} is not {wanted.shape}"
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def lively_network(model: str | AnyDesign | Architecture, *, seed: int = 0, **arguments: Any) -> RegNet:
    """A network in eval mode none of whose weights, biases or batch-norm statistics is trivial."""
    generator = torch.Generator().manual_seed(seed)
    network = create_model(model, initialization="pycls", generator=generator, **arguments).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
                module.running_mean.normal_(0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
        elif isinstance(module, torch.nn.Conv2d | torch.nn.Linear) and module.bias is not None:
            torch.nn.init.normal_(module.bias, 0, 0.2, generator=generator)
    return network


def random_images(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def run_torch(network: RegNet, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    with torch.inference_mode():
        return {name: value.numpy() for name, value in network.forward_named(torch.from_numpy(images)).items()}


def run_graph(model: onnx.ModelProto, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
    return OnnxRuntimeEngine(graph_bytes(model), threads=1).run(images)


def assert_same_outputs(
    found: dict[str, npt.NDArray[Any]], wanted: dict[str, npt.NDArray[Any]], names: Sequence[str], bound: float = 1e-4
) -> None:
    """Compared in the order in which the network computes them, so that a failure names where it starts."""
    for name in names:
        assert relative_error(found[name], wanted[name]) < bound, name
