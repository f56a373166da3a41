"""`create_model`: what it takes, what it refuses."""

import dataclasses
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import LABELS, SMALL, small_bundle
from numerics import lively_network, random_images, relative_error
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import DEFAULT_MODEL, EMBEDDED_MODELS, embedded_bundle
from regnety.errors import InvalidDesignError, UnknownModelError, WeightsError
from regnety.network.creation import create_model, load_weights, numpy_weights
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from regnety.weights.stem import adapt_input_channels

DESIGN = Design(depth=2, w0=16, wa=16, wm=2, group_width=8)
ANYNET = AnyNetDesign(stages=(StageDesign(width=16, depth=1, group_width=8),))


TINY = embedded_bundle(DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("model", "num_classes"),
    [("regnety_002", 1000), (DEFAULT_MODEL, 200), (DESIGN, 1000), (ANYNET, 1000), (DESIGN.architecture(7), 7)],
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


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_an_embedded_model_brings_its_weights(name: str) -> None:
    bundle = Bundle.load(name)
    for model in (name, bundle, embedded_bundle(name), str(embedded_bundle(name))):
        weights = create_model(model, pretrained=True if model == name else None).state_dict()
        assert all((weights[key].numpy() == bundle.weights[key]).all() for key in bundle.weights)


@pytest.mark.parametrize(
    ("num_classes", "options", "shape"),
    [(3, {}, (3, 32)), (4, {"global_pool": "catavgmax"}, (4, 64)), (1, {"initialization": "pycls"}, (1, 32))],
)
def test_a_classifier_that_does_not_fit_stays_random_and_is_named(
    caplog: pytest.LogCaptureFixture, num_classes: int, options: dict[str, Any], shape: tuple[int, int]
) -> None:
    bundle = small_bundle()
    with caplog.at_level(logging.WARNING, logger="regnety"):
        network = create_model(bundle, num_classes=num_classes, generator=torch.Generator().manual_seed(0), **options)
    assert [record.getMessage() for record in caplog.records] == [
        f"small: the classifier head.fc is {shape} and stays random: the weights' is (4, 32)"
    ]
    weights = network.state_dict()
    assert weights["head.fc.weight"].shape == shape
    assert 0.005 < weights["head.fc.weight"].std() < 0.015
    assert not weights["head.fc.bias"].any()
    assert_loaded(network, bundle, except_for="head.")
    assert network.labels is None
    assert network.pretrained_cfg["num_classes"] == num_classes


def test_weights_without_a_classifier_leave_it_random(caplog: pytest.LogCaptureFixture) -> None:
    bundle = small_bundle(None, num_classes=0)
    with caplog.at_level(logging.WARNING, logger="regnety"):
        network = create_model(bundle, num_classes=2)
    assert [record.getMessage() for record in caplog.records] == [
        "small: the classifier head.fc is (2, 32) and stays random: the weights have none"
    ]
    assert_loaded(network, bundle, except_for="head.")


def test_a_classifier_that_is_not_wanted_goes_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    bundle = small_bundle()
    with caplog.at_level(logging.DEBUG, logger="regnety"):
        network = create_model(bundle, num_classes=0)
        create_model(bundle, num_classes=4)
        create_model(bundle, features_only=True)
    assert not caplog.records
    assert_loaded(network, bundle, except_for="head.")
    assert network.labels is None


@pytest.mark.parametrize("in_chans", [1, 2, 4, 5])
def test_the_stem_is_adapted_to_other_input_channels(in_chans: int) -> None:
    bundle = small_bundle()
    network = create_model(bundle, in_chans=in_chans)
    assert_loaded(network, bundle, except_for="stem.conv.weight")
    kernel = network.stem.conv.weight.detach().numpy()
    np.testing.assert_array_equal(kernel, adapt_input_channels(bundle.weights["stem.conv.weight"], in_chans))
    assert network.labels == bundle.labels
    assert len(network.preprocessing.mean) == len(network.pretrained_cfg["mean"]) == in_chans


def test_a_grey_picture_answers_as_its_copy_in_colour() -> None:
    grey = torch.from_numpy(random_images(2, 1, 32, 32))
    wanted = create_model(small_bundle()).eval()(grey.repeat(1, 3, 1, 1))
    found = create_model(small_bundle(), in_chans=1).eval()(grey)
    assert relative_error(found.detach(), wanted.detach()) < 1e-5


def test_only_stems_for_three_channels_are_adapted(tmp_path: Path) -> None:
    folder = create_model(DESIGN, in_chans=4).save_pretrained(tmp_path / "four")
    assert create_model(folder, in_chans=4).in_chans == create_model(folder).in_chans == 4
    message = r"/four: its weights are for 4 input channels, in_chans is 3; only weights for 3 channels can be"
    with pytest.raises(WeightsError, match=message):
        create_model(folder, in_chans=3)


def test_a_network_remembers_what_came_with_its_weights() -> None:
    network = create_model(small_bundle(provenance={"license": "mit"}))
    assert (network.labels, network.preprocessing, network.provenance) == (LABELS, SMALL, {"license": "mit"})
    fresh = create_model("regnety_032")
    assert (fresh.labels, fresh.provenance, fresh.preprocessing.crop_pct) == (None, {}, 0.95)
    assert create_model(DESIGN, in_chans=1).preprocessing == Preprocessing().for_channels(1)


def test_checkpoint_path_fills_the_model_that_is_named(tmp_path: Path) -> None:
    network = lively_network("regnety_002", num_classes=5)
    folder = network.save_pretrained(tmp_path / "saved", labels="abcde", preprocessing=SMALL)
    bare = shutil.copy(folder / "model.safetensors", tmp_path / "bare.safetensors")
    images = torch.from_numpy(random_images(1, 3, 32, 32))
    for path, labels, crop_pct in ((folder, tuple("abcde"), SMALL.crop_pct), (str(bare), None, 0.875)):
        loaded = create_model("regnety_002", checkpoint_path=path)
        assert torch.equal(loaded.eval()(images), network(images))
        assert (loaded.labels, loaded.preprocessing.crop_pct) == (labels, crop_pct)
    tagged = create_model("regnety_002.pycls_in1k", checkpoint_path=bare, num_classes=7, in_chans=1)
    assert (tagged.num_classes, tagged.in_chans, tagged.pretrained_cfg["tag"]) == (7, 1, "pycls_in1k")
    strided = dataclasses.replace(network.architecture.design, stem_stride=1)  # which no shape tells
    assert create_model(strided, checkpoint_path=bare).architecture.stem.stride == 1
    message = r"bare.safetensors: .* the architecture expects .*; the file fits regnety_002 with 5 classes$"
    with pytest.raises(WeightsError, match=message):
        create_model("regnety_004", checkpoint_path=bare)


def test_a_model_on_the_hub_is_random_unless_it_is_to_be_pretrained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = small_bundle()
    file = bundle.save(tmp_path / "bundle") / "model.safetensors"
    monkeypatch.setattr("regnety.network.sources.describe_model", {"hf-hub:a/b": bundle.metadata}.__getitem__)
    random = create_model("hf-hub:a/b", pretrained=False)
    assert (random.architecture, random.labels, random.preprocessing) == (bundle.architecture, None, SMALL)
    assert not torch.equal(random.stem.conv.weight, torch.from_numpy(bundle.weights["stem.conv.weight"]))
    assert_loaded(create_model("hf-hub:a/b", checkpoint_path=file), bundle)
    monkeypatch.setattr("regnety.network.sources.Bundle.load", {"hf-hub:a/b": bundle}.__getitem__)
    assert_loaded(create_model("hf-hub:a/b", pretrained=True), bundle)


def test_a_published_repository_is_its_name() -> None:
    network = create_model("hf-hub:timm/regnety_032.tv2_in1k", num_classes=3)
    assert network.pretrained_cfg == create_model("regnety_032.tv2_in1k", num_classes=3).pretrained_cfg
    assert network.pretrained_cfg["tag"] == "tv2_in1k"


def test_a_misspelt_option_is_named_at_once() -> None:
    with pytest.raises(TypeError, match="drop_paths"):
        create_model("nowhere", drop_paths=0.1)  # type: ignore[call-overload]


def assert_loaded(network: RegNet, bundle: Bundle, *, except_for: str = "none") -> None:
    weights = network.state_dict()
    for key in weights:
        if not key.startswith(except_for):
            np.testing.assert_array_equal(weights[key].numpy(), bundle.weights[key], err_msg=key)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (DESIGN, {"pretrained": True}, WeightsError, "^a design has no weights; pretrained=True needs the name"),
        (ANYNET, {"pretrained": True}, WeightsError, "^a design has no weights"),
        (DESIGN.architecture(), {"pretrained": True}, WeightsError, "^a design has no weights"),
        ("regnety_002", {"pretrained": True}, UnknownModelError, "^regnety_002.*: the weights .* not on this disk"),
        ("regnety_003", {}, UnknownModelError, "^no model named 'regnety_003', .*; did you mean regnety_"),
        ("regnety_003", {"pretrained": True}, UnknownModelError, "^no model named 'regnety_003'"),
        (Path("nowhere"), {}, UnknownModelError, "^nowhere: no such file or folder; a model is "),
        (13, {}, UnknownModelError, "^a model is a name, a design, a bundle or its folder, got int$"),
        (TINY, {"pretrained": False}, WeightsError, "pretrained=False contradicts it$"),
        (
            embedded_bundle(DEFAULT_MODEL),
            {"checkpoint_path": "x"},
            WeightsError,
            "has its own weights; checkpoint_path='x' contra",
        ),
        ("regnety_002", {"checkpoint_path": "x.safetensors"}, UnknownModelError, "^x.safetensors: no such file"),
        (DESIGN, {"checkpoint_path": "x", "pretrained": True}, WeightsError, "^pretrained=True and checkpoint_path="),
        (DESIGN, {"initialization": "zeros"}, ValueError, "^initialization must be one of timm, pycls, got 'zeros'$"),
        (
            embedded_bundle(DEFAULT_MODEL),
            {"initialization": "zeros"},
            ValueError,
            "^initialization must be one of timm, pycls",
        ),
        (DESIGN, {"num_classes": -1}, InvalidDesignError, "^num_classes must be a whole number from 0 .* got -1$"),
        ("regnety_002", {"in_chans": 0}, InvalidDesignError, "^in_chans must be a whole number from 1 .* got 0$"),
    ],
)
def test_what_it_refuses(
    monkeypatch: pytest.MonkeyPatch, model: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    monkeypatch.setenv("REGNETY_OFFLINE", "1")
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


def test_weights_that_are_missing_are_named() -> None:
    with pytest.raises(WeightsError, match=r"^the weights lack stem\.conv\.weight$"):
        load_weights(create_model(DESIGN), {})


def test_half_precision_goes_through_numpy() -> None:
    network = lively_network(DESIGN)
    for dtype, wanted in ((torch.float16, "float16"), (torch.bfloat16, "float32")):
        weights = numpy_weights(network.to(dtype))
        assert {str(value.dtype) for value in weights.values()} == {wanted, "int64"}
        assert all(
            torch.equal(torch.from_numpy(weights[key]), value.to(getattr(torch, str(weights[key].dtype))))
            for key, value in network.state_dict().items()
        )


def test_the_call_of_timms_training_script() -> None:
    """timm's train.py hands over every option, None where nothing was said."""
    model = create_model(
        "regnety_002",
        pretrained=False,
        in_chans=None,
        num_classes=10,
        drop_rate=None,
        drop_path_rate=None,
        global_pool=None,
        bn_momentum=None,
        bn_eps=None,
        scriptable=False,
        checkpoint_path="",
    )
    assert (model.num_classes, model.drop_rate, model.head.global_pool) == (10, 0.0, "avg")


def test_pretrained_may_stand_second() -> None:
    assert create_model("regnety_002", False).num_classes == 1000
    assert len(create_model("regnety_cifar10", True).labels or ()) == 10


def test_batch_norm_as_asked(tmp_path: Path) -> None:
    model = create_model("regnety_002", bn_momentum=0.01, bn_eps=1e-3)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 1e-3)}
    with pytest.raises(WeightsError, match=r"a bundle cannot say that bn_eps is 0.001; every RegNet's is 1e-05$"):
        model.save_pretrained(tmp_path / "bundle")
