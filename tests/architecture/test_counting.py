"""Parameters, multiply-adds and activations, equal to the published figures to the unit."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import designs
import goldens
from numerics import lively_network, random_images, run_torch
from regnety.architecture.counting import complexity, model_index_flops, weights_bytes
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError
from regnety.network.creation import create_model

PAPER = goldens.models("paper_models.json")
INDEX = goldens.models("model_index_flops.json")


@pytest.mark.parametrize("name", PAPER)
def test_complexity_is_the_papers(name: str) -> None:
    paper = PAPER[name]
    assert asdict(complexity(model_info(name).design.architecture(), image_size=224)) == {
        "num_params": paper["params"],
        "macs": paper["flops"],
        "activations": paper["acts"],
    }


@pytest.mark.parametrize("name", INDEX)
def test_index_flops_are_the_model_pages(name: str) -> None:
    assert model_index_flops(model_info(name).design.architecture()) == INDEX[name]


def test_all_published_figures_are_here() -> None:
    assert (len(PAPER), len(INDEX)) == (24, 12)


def test_torch_counts_the_same_parameters() -> None:
    network = create_model("regnety_002", num_classes=10, in_chans=1)
    counted = complexity(network.architecture).num_params
    assert counted == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("num_classes", "in_chans"), [(1000, 3), (0, 1)])
def test_weights_take_as_many_bytes_as_torchs(num_classes: int, in_chans: int) -> None:
    network = create_model("regnety_002", num_classes=num_classes, in_chans=in_chans)
    assert weights_bytes(network.architecture) == sum(tensor.nbytes for tensor in network.state_dict().values())


@pytest.mark.parametrize(("name", "image_size"), [("regnety_002", 45), ("regnetx_002", 64)])
def test_output_shapes_are_those_of_torch(name: str, image_size: int) -> None:
    network = lively_network(name)
    outputs = run_torch(network, random_images(1, 3, image_size, image_size))
    shapes = network.architecture.output_shapes(image_size)
    assert list(shapes.items()) == [(output, value.shape[1:]) for output, value in outputs.items()]


def test_output_shapes_without_a_size_are_named() -> None:
    shapes = model_info("regnety_002").design.architecture(num_classes=0).output_shapes()
    assert shapes["s2"] == (56, "s2_height", "s2_width")
    assert list(shapes) == ["stem", "s1", "s2", "s3", "s4", "pre_logits"]


@given(st.integers(0, 10_000))
@designs.examples(50)
def test_work_grows_with_the_picture_and_parameters_do_not(seed: int) -> None:
    architecture = designs.small_design(seed).architecture()
    small, large = complexity(architecture, 32), complexity(architecture, 128)
    assert small.num_params == large.num_params
    assert small.macs < large.macs
    assert small.activations < large.activations


@pytest.mark.parametrize("size", [(224, 286), (64, 96), (33, 224)])
@pytest.mark.parametrize("name", ["regnety_002", "regnetx_004"])
def test_a_rectangle_is_counted_as_torch_computes_it(name: str, size: tuple[int, int]) -> None:
    """Multiply-adds and activations from the shapes that the modules themselves give out."""
    network = lively_network(name)
    counted = complexity(network.architecture, size)
    outputs = run_torch(network, random_images(1, 3, *size))
    assert network.architecture.output_shapes(size) == {key: value.shape[1:] for key, value in outputs.items()}
    assert (counted.macs, counted.activations) == hooked_counts(network, size)


def hooked_counts(network: torch.nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Multiply-adds, a bias as one each, and outputs of convolutions and the classifier, as they run."""
    macs = activations = 0

    def count(module: Any, inputs: Any, output: torch.Tensor) -> None:
        nonlocal macs, activations
        macs += output.numel() * (module.weight[0].numel() + (module.bias is not None))
        activations += output.numel()

    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    return macs, activations


def test_the_page_index_is_counted_on_its_rectangle() -> None:
    """Both conventions agree on a 224x286 picture but for what the page leaves out and pools."""
    design = model_info("regnety_002").design.architecture(num_classes=0)
    assert complexity(design, (224, 286)).macs == model_index_flops(design) - 64 * design.num_features


@pytest.mark.parametrize("wrong", [(224,), (224, 224, 3), [], (224, 0), (224.0, 224), ("224", 224)])
def test_wrong_rectangles_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidDesignError, match=r"^image_size must be a (number of pixels or \(height|whole number)"):
        complexity(model_info("regnety_002").design, wrong)


@pytest.mark.parametrize("wrong", [0, -1, 224.0, "224", True, np.nan, 65537])
def test_wrong_image_size_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidDesignError, match=r"^image_size must be a whole number from 1 to 65536, got "):
        complexity(model_info("regnety_002").design.architecture(), image_size=wrong)


def test_a_design_counts_as_its_architecture() -> None:
    design = model_info("regnety_002").design
    assert complexity(design) == complexity(design.architecture())
    assert model_index_flops(design) == model_index_flops(design.architecture())
