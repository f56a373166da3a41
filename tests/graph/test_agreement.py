"""The graph in ONNX Runtime against the torch network, on random designs with batch-norm statistics of all kinds."""

import numpy as np
import pytest

import designs
from numerics import assert_same_outputs, lively_network, random_images, run_graph, run_torch
from regnety.architecture.counting import complexity
from regnety.architecture.design import AnyNetDesign
from regnety.graph.builder import build_graph
from regnety.network.creation import numpy_weights
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

COUNT, QUICK = 100, 16
SEEDS = [pytest.param(seed, marks=() if seed < QUICK else pytest.mark.slow) for seed in range(COUNT)]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_design(seed: int) -> None:
    network = lively_network(designs.small_design(seed), seed=seed, num_classes=10)
    weights, names = numpy_weights(network), network.architecture.output_names
    height, width = np.random.RandomState(seed).randint(32, 65, 2)

    images = random_images(2, 3, height, width, seed=seed)
    model = build_graph(network.architecture, weights, input="float", outputs=names)
    assert_same_outputs(run_graph(model, images), run_torch(network, images), names)

    pixels = np.random.RandomState(seed).randint(0, 256, (2, height, width, 3), dtype=np.uint8)
    normalized = ((pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32).transpose(0, 3, 1, 2)
    model = build_graph(network.architecture, weights, outputs=names)
    assert_same_outputs(run_graph(model, pixels), run_torch(network, np.ascontiguousarray(normalized)), names)


@pytest.mark.parametrize("count", [QUICK, COUNT])
def test_random_designs_are_of_all_kinds(count: int) -> None:
    drawn = [designs.small_design(seed) for seed in range(count)]
    described = [design.architecture(num_classes=10) for design in drawn]
    assert max(complexity(architecture).num_params for architecture in described) <= 1_000_000
    assert {1, 6} <= {len(architecture.stages) for architecture in described}
    blocks = [block for architecture in described for block in architecture.blocks]
    assert {2, 0.5} <= {block.inner_width / block.width for block in blocks}
    assert any(block.se is None for block in blocks)
    assert any(block.se is not None for block in blocks)
    assert 1 in {architecture.stem.stride for architecture in described}
    assert sum(isinstance(design, AnyNetDesign) for design in drawn) == count // len(designs.SMALL_KINDS)
    assert len(set(drawn)) == count


@pytest.mark.parametrize("name", ["regnety_002", "regnetx_002", "regnety_008_tv"])
def test_named_outputs_of_a_published_model(name: str) -> None:
    network = lively_network(name)
    names = ("stem", "s1", "s2", "s3", "s4", "pre_logits", "logits")
    assert network.architecture.output_names == names
    images = random_images(1, 3, 96, 80)
    model = build_graph(network.architecture, numpy_weights(network), input="float", outputs=names)
    assert_same_outputs(run_graph(model, images), run_torch(network, images), names)


@pytest.mark.parametrize("in_chans", [1, 4])
def test_normalization_of_other_channels(in_chans: int) -> None:
    network = lively_network(designs.small_design(0), num_classes=10, in_chans=in_chans)
    mean, std = np.linspace(0.2, 0.6, in_chans), np.linspace(0.1, 0.3, in_chans)
    pixels = np.random.RandomState(0).randint(0, 256, (1, 33, 40, in_chans), dtype=np.uint8)
    model = build_graph(
        network.architecture,
        numpy_weights(network),
        preprocessing=Preprocessing(mean=tuple(mean), std=tuple(std)),
    )
    normalized = ((pixels / 255 - mean) / std).astype(np.float32).transpose(0, 3, 1, 2)
    wanted = run_torch(network, np.ascontiguousarray(normalized))
    assert_same_outputs(run_graph(model, pixels), wanted, ["logits"])
