"""PyTorch as an engine: the graph's own numbers, from any thread, and random weights never answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

from bundles import small_bundle
from numerics import relative_error
from regnety import EngineError, WeightsError
from regnety.graph.builder import build_graph, graph_bytes
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.torch import TorchEngine

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
OUTPUTS = ("s1", "pre_logits", "logits")


def test_the_numbers_are_the_graphs() -> None:
    bundle = small_bundle()
    engine = TorchEngine(bundle, threads=1, outputs=OUTPUTS)
    graph = build_graph(bundle.architecture, bundle.weights, outputs=OUTPUTS)
    wanted = OnnxRuntimeEngine(graph_bytes(graph), threads=1).run(PIXELS)
    found = engine.run(PIXELS)
    assert engine.output_names == tuple(found) == OUTPUTS
    for name in OUTPUTS:
        assert found[name].dtype == np.float32
        assert found[name].flags.c_contiguous
        assert relative_error(found[name], wanted[name]) < 1e-5, name
    alone = TorchEngine(bundle, threads=1).run(PIXELS)
    assert list(alone) == ["logits"]
    np.testing.assert_allclose(alone["logits"], found["logits"], rtol=1e-5, atol=1e-5)


def test_what_it_says_of_itself() -> None:
    engine = TorchEngine(small_bundle(), threads=1)
    assert (engine.name, engine.version, engine.precision) == ("torch", torch.__version__, "f32")
    assert (engine.input_shape, engine.input_dtype) == ((None, 32, 32, 3), np.uint8)
    engine = TorchEngine(small_bundle(), threads=1, input="float")
    assert (engine.input_shape, engine.input_dtype) == ((None, 3, 32, 32), np.float32)


def test_an_answer_belongs_to_who_asked() -> None:
    engine = TorchEngine(small_bundle(), threads=1)
    images = PIXELS.copy()
    images.flags.writeable = False
    first = engine.run(images)["logits"]
    kept = first.copy()
    engine.run(255 - images)
    np.testing.assert_array_equal(first, kept)
    first[:] = 0  # an ordinary array, not one of torch's that cannot be written


def test_threads_at_once_have_the_answers_of_one() -> None:
    engine, together = TorchEngine(small_bundle(), threads=1), Barrier(4)
    alone = [engine.run(PIXELS[number, None])["logits"] for number in range(8)]

    def run(first: int) -> list[np.ndarray]:
        together.wait(60)
        return [engine.run(PIXELS[(first + step) % 8, None])["logits"] for step in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for first, answers in enumerate(pool.map(run, range(4))):
            for step, answer in enumerate(answers):
                np.testing.assert_allclose(answer, alone[(first + step) % 8], rtol=1e-5, atol=1e-5)


def test_running_leaves_torch_as_it_was() -> None:
    before = torch.get_num_threads()
    TorchEngine(small_bundle(), threads=before + 1).run(PIXELS)
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
def test_bf16_is_close_and_answers_in_float32() -> None:
    wanted = TorchEngine(small_bundle(), threads=1).run(PIXELS)["logits"]
    found = TorchEngine(small_bundle(), threads=1, precision="bf16").run(PIXELS)["logits"]
    assert found.dtype == np.float32
    assert 1e-5 < np.abs(found - wanted).max() / wanted.std() < 5e-2


@pytest.mark.parametrize("known", [False, None])
def test_bf16_on_a_processor_without_it(known: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regnety.inference.engines.torch.has_bf16", lambda: known)
    with pytest.raises(EngineError, match=r"^torch does not compute in bf16 on this processor$"):
        TorchEngine(small_bundle(), threads=1, precision="bf16")


def test_what_it_cannot_run() -> None:
    with pytest.raises(
        WeightsError, match=r"^small: no output named 's9'; there are stem, s1, s2, pre_logits, logits$"
    ):
        TorchEngine(small_bundle(), threads=1, outputs=("s9",))
    bundle = small_bundle()
    bundle._weights = {}
    with pytest.raises(EngineError, match=r"^small: is a graph without weights, which the engine torch cannot run$"):
        TorchEngine(bundle, threads=1)
