"""Logits and pooled features of 16 models against an independent float64 implementation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import goldens
from numerics import relative_error, run_graph
from regnety.catalog.models import model_info
from regnety.graph.builder import build_graph
from regnety.network.creation import create_model, load_weights

STATS = goldens.models("forward_stats.json")
QUICK = ("regnety_002", "regnety_004", "regnetx_002", "regnety_008_tv")


@dataclass(frozen=True)
class Golden:
    name: str
    weights: dict[str, npt.NDArray[Any]]
    logits: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float64]

    def run_torch(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        with torch.device("meta"):
            network = create_model(self.name)
        network = network.to_empty(device="cpu").to(dtype).eval()
        load_weights(network, self.weights)
        with torch.inference_mode():
            return network.forward_named(torch.from_numpy(goldens.forward_images()).to(dtype))


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STATS]
)
def golden(request: pytest.FixtureRequest) -> Golden:
    logits, pooled = goldens.forward(request.param)
    shapes = goldens.state_dict_shapes()[request.param]
    return Golden(request.param, goldens.forward_weights(shapes), logits, pooled)


def test_torch_in_double_precision(golden: Golden) -> None:
    outputs = golden.run_torch(torch.float64)
    for (name, output), wanted in zip(outputs.items(), STATS[golden.name]["stages"], strict=False):
        assert list(output.shape) == wanted["shape"], name
        assert output.mean().item() == pytest.approx(wanted["mean"], rel=1e-9), name
        assert output.std().item() == pytest.approx(wanted["std"], rel=1e-9), name
    assert relative_error(outputs["pre_logits"][0], golden.pooled) < 1e-9
    assert relative_error(outputs["logits"][0], golden.logits) < 1e-9
    assert outputs["logits"].std().item() == pytest.approx(STATS[golden.name]["logits_std"], rel=1e-9)
    assert outputs["logits"].argmax().item() == STATS[golden.name]["argmax"]


def test_torch_in_single_precision(golden: Golden) -> None:
    outputs = golden.run_torch(torch.float32)
    assert relative_error(outputs["pre_logits"][0], golden.pooled) < 1e-4
    assert relative_error(outputs["logits"][0], golden.logits) < 1e-4


def test_onnx_runtime(golden: Golden) -> None:
    design = model_info(golden.name).design
    model = build_graph(design, golden.weights, input="float", outputs=("pre_logits", "logits"))
    outputs = run_graph(model, goldens.forward_images().astype(np.float32))
    assert relative_error(outputs["pre_logits"][0], golden.pooled) < 1e-4
    assert relative_error(outputs["logits"][0], golden.logits) < 1e-4


def test_sixteen_models_are_compared() -> None:
    assert len(STATS) == 16
