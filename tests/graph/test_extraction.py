"""Weights out of a graph that regnety wrote: folded, and the same network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import random_weights, small_bundle
from designs import small_design
from numerics import assert_same_outputs, random_images, run_graph, run_torch
from regnety.architecture.layers import BATCH_NORM_EPS, ConvNorm
from regnety.errors import WeightsError
from regnety.graph.builder import build_graph, graph_bytes, write_graph
from regnety.graph.extraction import ExtractedWeights
from regnety.graph.onnx_files import read_onnx
from regnety.network.creation import create_model


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("in_chans", [3, 1])
def test_the_same_graph_comes_out_again(seed: int, in_chans: int, tmp_path: Path) -> None:
    """To the last bit: the identity norm changes no kernel when it is folded again."""
    architecture = small_design(seed).architecture(10, in_chans)
    weights = random_weights(architecture, seed=seed)
    path = write_graph(tmp_path / "model.onnx", architecture, weights)
    extracted = ExtractedWeights(architecture, read_onnx(path))
    assert list(extracted) == list(architecture.state_dict_shapes())
    assert {key: extracted.shape(key) for key in extracted} == architecture.state_dict_shapes()
    assert graph_bytes(build_graph(architecture, extracted)) == path.read_bytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_identity_norm_is_one(dtype: Any) -> None:
    variance = np.full(1, 1 - BATCH_NORM_EPS, dtype)
    scale = 1 / np.sqrt(variance.astype(np.float64) + BATCH_NORM_EPS)
    assert scale.astype(np.float32) == 1
    kernel = np.random.default_rng(0).standard_normal(100_000, np.float32)
    assert np.array_equal((kernel.astype(np.float64) * scale).astype(np.float32), kernel)


def test_the_torch_network_takes_them(tmp_path: Path) -> None:
    import torch

    bundle = small_bundle()
    path = write_graph(tmp_path / "model.onnx", bundle.architecture, bundle.weights)
    extracted = ExtractedWeights(bundle.architecture, read_onnx(path))
    network = create_model(bundle.architecture).eval()
    network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in extracted.items()})
    names, images = bundle.architecture.output_names, random_images(2, 3, 32, 32)
    wanted = run_graph(build_graph(bundle.architecture, bundle.weights, input="float", outputs=names), images)
    assert_same_outputs(run_torch(network, images), wanted, names, 1e-5)


def test_half_precision_is_what_was_kept(tmp_path: Path) -> None:
    bundle = small_bundle()
    path = write_graph(tmp_path / "model.onnx", bundle.architecture, bundle.weights, dtype="float16")
    whole = write_graph(tmp_path / "whole.onnx", bundle.architecture, bundle.weights)
    halves, singles = (ExtractedWeights(bundle.architecture, read_onnx(file)) for file in (path, whole))
    learned = [key for key in halves if not key.endswith(("running_mean", "running_var", "bn.weight", "tracked"))]
    assert {halves[key].dtype.name for key in learned} == {"float16"}
    assert all(np.array_equal(halves[key], singles[key].astype(np.float16)) for key in learned)


@pytest.mark.parametrize("outputs", [("pre_logits",), ("stem", "s1")])
def test_a_graph_without_classifier_says_so(outputs: tuple[str, ...], tmp_path: Path) -> None:
    bundle = small_bundle()
    path = write_graph(tmp_path / "model.onnx", bundle.architecture, bundle.weights, outputs=outputs)
    with pytest.raises(WeightsError, match=f"has the outputs {', '.join(outputs)} and not .* with the output logits$"):
        ExtractedWeights(bundle.architecture, read_onnx(path))


def test_every_layer_is_taken(tmp_path: Path) -> None:
    """A layer of a new kind would need a new rule in the extraction."""
    bundle = small_bundle()
    path = write_graph(tmp_path / "model.onnx", bundle.architecture, bundle.weights)
    extracted = ExtractedWeights(bundle.architecture, read_onnx(path))
    for layer in bundle.architecture.layers():
        for key, shape in layer.state_dict_shapes().items():
            assert extracted[key].shape == shape
            if not isinstance(layer, ConvNorm):
                assert np.array_equal(extracted[key], bundle.weights[key])
