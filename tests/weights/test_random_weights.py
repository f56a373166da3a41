"""Random weights that are as good as others for what depends on shapes: activations neither fade nor grow."""

import numpy as np
import pytest

from regnety.catalog.models import model_info
from regnety.graph.builder import build_graph, graph_bytes
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.weights.random_weights import RandomWeights, random_values

ARCHITECTURE = model_info("regnety_002").design.architecture()


def test_they_have_the_keys_and_shapes_of_the_description() -> None:
    weights = RandomWeights(ARCHITECTURE)
    shapes = ARCHITECTURE.state_dict_shapes()
    assert list(weights) == list(shapes)
    assert len(weights) == len(shapes)
    assert "stem.conv.weight" in weights
    assert "stem.conv.bias" not in weights
    assert {key: weights[key].shape for key in weights} == shapes == {key: weights.shape(key) for key in weights}


def test_they_are_the_same_every_time_and_differ_by_key() -> None:
    first, again = (RandomWeights(ARCHITECTURE)["s3.b1.conv1.conv.weight"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.std() == pytest.approx(np.sqrt(2 / 56), rel=0.02)
    assert not np.array_equal(random_values("a.weight", (8, 8)), random_values("b.weight", (8, 8)))
    assert random_values("x.conv3.bn.weight", (1000,)).mean() == pytest.approx(0.3, abs=0.01)
    assert random_values("x.bn.running_var", (1000,)).min() >= 0.75


def test_no_activation_is_near_denormal_numbers() -> None:
    outputs = ("stem", "s1", "s2", "s3", "s4", "logits")
    graph = build_graph(ARCHITECTURE, RandomWeights(ARCHITECTURE), image_size=64, outputs=outputs)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    answers = OnnxRuntimeEngine(graph_bytes(graph), threads=1).run(image)
    assert list(answers) == list(outputs)
    for name, values in answers.items():
        assert 0.05 < values.std() < 50, name
        assert np.abs(values[values != 0]).min() > 1e-10
