"""`create_model`: what it takes, what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch

from numerics import lively_network, random_images
from regnety.architecture.design import AnyNetDesign, Design, StageDesign
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle
from regnety.errors import InvalidDesignError, RegNetYError, UnknownModelError, WeightsError
from regnety.network.creation import create_model, load_weights, numpy_weights

DESIGN = Design(depth=2, w0=16, wa=16, wm=2, group_width=8)
ANYNET = AnyNetDesign(stages=(StageDesign(width=16, depth=1, group_width=8),))


@pytest.mark.parametrize(
    ("model", "num_classes"),
    [("regnety_002", 1000), (EMBEDDED_MODEL, 10), (DESIGN, 1000), (ANYNET, 1000), (DESIGN.architecture(7), 7)],
    ids=["name", "embedded", "Design", "AnyNetDesign", "Architecture"],
)
def test_models_that_it_takes(model: Any, num_classes: int) -> None:
    network = create_model(model)
    assert network.training
    assert network.num_classes == num_classes
    assert network.head.fc.out_features == num_classes
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, num_classes)


def test_no_classes_gives_pooled_features() -> None:
    network = lively_network(DESIGN, num_classes=0)
    images = torch.from_numpy(random_images(2, 3, 32, 32))
    assert network(images).shape == (2, network.num_features) == (2, 32)
    assert torch.equal(network(images), network.forward_head(network.forward_features(images), pre_logits=True))
    assert list(network.forward_named(images)) == ["stem", "s1", "s2", "pre_logits"]
    assert not any(key.startswith("head") for key in network.state_dict())


def test_one_input_channel() -> None:
    network = create_model(DESIGN, num_classes=5, in_chans=1).eval()
    assert network.stem.conv.weight.shape == (32, 1, 3, 3)
    assert network(torch.zeros(1, 1, 32, 32)).shape == (1, 5)


def test_embedded_model_brings_its_weights() -> None:
    bundle = Bundle.load(EMBEDDED_MODEL)
    for model in (EMBEDDED_MODEL, bundle, embedded_bundle(), str(embedded_bundle())):
        weights = create_model(model, pretrained=True if model == EMBEDDED_MODEL else None).state_dict()
        assert all((weights[key].numpy() == bundle.weights[key]).all() for key in bundle.weights)


def test_other_classes_leave_the_classifier_random_and_load_the_rest() -> None:
    bundle = Bundle.load(EMBEDDED_MODEL)
    weights = create_model(bundle, num_classes=3).state_dict()
    assert weights["head.fc.weight"].shape[0] == 3
    assert all(
        (weights[key].numpy() == bundle.weights[key]).all() for key in bundle.weights if not key.startswith("head.")
    )


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (DESIGN, {"pretrained": True}, WeightsError, "^a design has no weights; pretrained=True wants the name"),
        (ANYNET, {"pretrained": True}, WeightsError, "^a design has no weights"),
        (DESIGN.architecture(), {"pretrained": True}, WeightsError, "^a design has no weights"),
        ("regnety_002", {"pretrained": True}, UnknownModelError, "^regnety_002: the weights .* not on this disk"),
        ("regnety_003", {}, UnknownModelError, "^no model named 'regnety_003', .*; did you mean regnety_"),
        ("regnety_003", {"pretrained": True}, UnknownModelError, "^no model named 'regnety_003'"),
        (Path("nowhere"), {}, UnknownModelError, "^nowhere: no such file or folder; a model is "),
        (13, {}, UnknownModelError, "^a model is a name, a design, a bundle or its folder, got int$"),
        (embedded_bundle(), {"pretrained": False}, WeightsError, "pretrained=False contradicts it$"),
        (embedded_bundle(), {"in_chans": 1}, WeightsError, "take 3 input channels, in_chans=1 does not fit$"),
        (DESIGN, {"num_classes": -1}, InvalidDesignError, "^num_classes must be a whole number from 0 .* got -1$"),
        ("regnety_002", {"in_chans": 0}, InvalidDesignError, "^in_chans must be a whole number from 1 .* got 0$"),
    ],
)
def test_what_it_refuses(model: Any, arguments: dict[str, Any], error: type[RegNetYError], message: str) -> None:
    with pytest.raises(error, match=message):
        create_model(model, **arguments)


def test_weights_go_through_numpy_and_back() -> None:
    network, other = lively_network(DESIGN, seed=1), lively_network(DESIGN, seed=2)
    weights = numpy_weights(network)
    assert list(weights) == list(network.state_dict())
    load_weights(other, {key: weights[key] for key in reversed(weights)})
    images = torch.from_numpy(random_images(1, 3, 32, 32))
    assert torch.equal(other(images), network(images))


def test_counters_of_batches_may_be_absent() -> None:
    network = create_model(DESIGN)
    network(torch.from_numpy(random_images(2, 3, 32, 32)))
    weights = {key: value for key, value in numpy_weights(network).items() if not key.endswith("num_batches_tracked")}
    load_weights(network, weights)
    assert network.state_dict()["stem.bn.num_batches_tracked"] == 1
