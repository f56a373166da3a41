"""Batches cut into pieces that run side by side: the same answers in the same order."""

from typing import Any

import numpy as np
import pytest

from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.side_by_side import SideBySideEngine
from timed import tiny_model


def engine_of(name: str, graph: Any, **arguments: Any) -> Any:
    if name == "openvino":
        pytest.importorskip("openvino")
        from regnety.inference.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(graph, **arguments)
    arguments.pop("workers")
    return OnnxRuntimeEngine(graph, **arguments)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("piece", [1, 4])
def test_the_answers_are_those_of_the_engine_itself(name: str, piece: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    with tiny_model().written(name) as graph:
        one_by_one = OnnxRuntimeEngine(graph, threads=1, batch=1)
        expected = np.concatenate([one_by_one.run(image[None])["logits"] for image in images])
        engine = SideBySideEngine(engine_of(name, graph, threads=1, workers=3, batch=piece), workers=3)
        for count in (1, 3, 4, 8, 9):
            logits = engine.run(images[:count])["logits"]
            assert logits.shape == (count, 4)
            np.testing.assert_allclose(logits, expected[:count], atol=2e-5 * np.abs(expected).max())
    assert np.ptp(expected, axis=0).min() > 0.1  # another image's answer would be seen


def test_it_says_what_its_engine_says_but_for_the_batch() -> None:
    with tiny_model().written("onnxruntime") as graph:
        inner = OnnxRuntimeEngine(graph, threads=1, batch=2)
        engine = SideBySideEngine(inner, workers=2)
    assert (engine.name, engine.precision, engine.output_names) == ("onnxruntime", "f32", ("logits",))
    assert engine.input_shape == (None, 32, 32, 3)
    assert engine.input_dtype == np.uint8
