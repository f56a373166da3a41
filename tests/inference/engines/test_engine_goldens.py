"""The 16 forward goldens in every engine, and how far bf16 is from them. (ONNX Runtime: tests/network.)"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import goldens
from numerics import relative_error
from regnety import Bundle, Preprocessing, build_graph, model_info
from regnety.graph.builder import graph_bytes
from regnety.inference.engines.openvino import OpenVinoEngine
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import Engine, Precision
from regnety.inference.engines.torch import TorchEngine
from regnety.metadata.model_metadata import ModelMetadata

MODELS = tuple(goldens.models("forward_stats.json"))
QUICK = ("regnety_002", "regnety_004", "regnetx_002", "regnety_008_tv")
OUTPUTS = ("pre_logits", "logits")
BF16_BOUND = 5e-2


@dataclass(frozen=True)
class Golden:
    bundle: Bundle
    outputs: dict[str, npt.NDArray[np.float64]]


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]
)
def golden(request: pytest.FixtureRequest) -> Golden:
    logits, pooled = goldens.forward(request.param)
    weights = goldens.forward_weights(goldens.state_dict_shapes()[request.param])
    metadata = ModelMetadata(
        design=model_info(request.param).design, num_classes=1000, in_chans=3, preprocessing=Preprocessing()
    )
    return Golden(Bundle(metadata, weights, name=request.param), {"logits": logits, "pre_logits": pooled})


def openvino(bundle: Bundle, precision: Precision) -> Engine:
    graph = build_graph(bundle.architecture, bundle.weights, input="float", outputs=OUTPUTS)
    return OpenVinoEngine(graph_bytes(graph), threads=2, batch=1, precision=precision)


def torch(bundle: Bundle, precision: Precision) -> Engine:
    return TorchEngine(bundle, threads=2, precision=precision, input="float", outputs=OUTPUTS)


ENGINES = pytest.mark.parametrize("engine", [openvino, torch])
Start = Callable[[Bundle, Precision], Engine]


def run(engine: Engine) -> dict[str, npt.NDArray[Any]]:
    return {name: value[0] for name, value in engine.run(goldens.forward_images().astype(np.float32)).items()}


@ENGINES
def test_float32(engine: Start, golden: Golden) -> None:
    found = run(engine(golden.bundle, "f32"))
    for name, wanted in golden.outputs.items():
        assert relative_error(found[name], wanted) < 1e-4, name


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
@ENGINES
def test_bf16(engine: Start, golden: Golden) -> None:
    found = run(engine(golden.bundle, "bf16"))
    wanted = golden.outputs["logits"]
    difference = np.abs(found["logits"] - wanted) / wanted.std()
    print(f"{golden.bundle.name}, {engine.__name__} in bf16: {difference.max():.2e} of the logits' deviation at most,")
    print(f"{difference.mean():.2e} on average")
    assert 1e-4 < difference.max() < BF16_BOUND
