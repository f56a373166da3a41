"""`save_pretrained`: a bundle that this package and timm read back."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bundles import LABELS, SMALL, small_bundle
from numerics import lively_network, random_images, relative_error
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import EMBEDDED_MODELS
from regnety.errors import WeightsError
from regnety.network.creation import create_model, numpy_weights
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing

FOUR_STAGES = Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4)
THREE_STAGES = Design(depth=4, w0=16, wa=12, wm=2, group_width=8)
IMAGES = torch.from_numpy(random_images(2, 3, 64, 64))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("regnety_002", {}),
        ("regnety_004", {"num_classes": 7}),
        ("regnetx_002", {"num_classes": 5}),
        ("regnety_008_tv", {"num_classes": 3}),
        ("regnety_002", {"num_classes": 0}),
        ("regnety_002", {"num_classes": 4, "in_chans": 5}),
        (FOUR_STAGES, {"num_classes": 6}),
    ],
    ids=str,
)
def test_timm_gives_the_same_logits(timm: Any, tmp_path: Path, model: Any, options: dict[str, Any]) -> None:
    network = lively_network(model, **options)
    folder = network.save_pretrained(tmp_path / "saved", provenance={"license": "mit"})
    theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.from_numpy(random_images(2, network.in_chans, 64, 64))
    with torch.inference_mode():
        assert relative_error(theirs(images), network(images)) < 1e-5
    assert list(theirs.state_dict()) == list(network.state_dict())
    assert theirs.num_classes == network.num_classes


def test_what_timm_cannot_build_is_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING, logger="regnety"):
        lively_network(THREE_STAGES, num_classes=2).save_pretrained(tmp_path / "saved")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{tmp_path / 'saved'}: timm cannot load this bundle: it has 3 stages, ")


@pytest.mark.parametrize(
    "design", [THREE_STAGES, AnyNetDesign(stages=(StageDesign(width=16, depth=1, group_width=8),))]
)
def test_it_comes_back_with_equal_weights(tmp_path: Path, design: Any) -> None:
    network = lively_network(design, num_classes=4)
    network(IMAGES)
    folder = network.save_pretrained(
        tmp_path / "saved", labels=list(LABELS), preprocessing=SMALL, provenance={"license": "mit"}
    )
    assert folder == tmp_path / "saved"
    wanted = numpy_weights(network)
    bundle = Bundle.load(folder)
    assert (bundle.architecture, bundle.labels, bundle.preprocessing) == (network.architecture, LABELS, SMALL)
    assert bundle.provenance == {"license": "mit"}
    again = create_model(folder).eval()
    for found in (bundle.weights, numpy_weights(again)):
        assert found.keys() == wanted.keys()
        assert all((found[key] == wanted[key]).all() and found[key].dtype == wanted[key].dtype for key in wanted)
    assert torch.equal(again(IMAGES), network(IMAGES))


def test_what_came_with_the_weights_is_kept(tmp_path: Path) -> None:
    loaded = create_model(small_bundle(provenance={"data": "four colours"}))
    kept = Bundle.load(loaded.save_pretrained(tmp_path / "kept"))
    assert (kept.labels, kept.preprocessing, kept.provenance) == (LABELS, SMALL, {"data": "four colours"})
    loaded.reset_classifier(4)
    assert Bundle.load(loaded.save_pretrained(tmp_path / "reset")).labels is None
    grey = create_model(small_bundle(), in_chans=1, num_classes=2)
    kept = Bundle.load(grey.save_pretrained(tmp_path / "grey", labels=("cat", "dog"), provenance={}))
    assert (kept.labels, kept.preprocessing, kept.provenance) == (("cat", "dog"), SMALL.for_channels(1), {})
    assert Bundle.load(create_model("regnety_032").save_pretrained(tmp_path / "named")).preprocessing.crop_pct == 0.95


def trained(network: RegNet, *, only: str = "") -> RegNet:
    """After two steps of its parameters, or of those whose names begin so, to the very classes that it has."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name.startswith(only)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        logits = network.train()(IMAGES.to(network.stem.conv.weight.dtype))
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
        optimizer.step()
    return network


def with_another_classifier(network: RegNet) -> RegNet:
    network.head.fc = torch.nn.Linear(32, 4)
    return network


def with_loaded_weights(network: RegNet) -> RegNet:
    network.load_state_dict(create_model(small_bundle(seed=1)).state_dict())
    return network


@pytest.mark.parametrize(
    "change",
    [
        trained,
        lambda network: trained(network, only="head.fc.bias"),
        lambda network: trained(copy.deepcopy(network).double()),
        lambda network: trained(network).half(),
        with_another_classifier,
        with_loaded_weights,
    ],
    ids=["all", "bias", "copy", "half", "layer", "state dict"],
)
def test_names_do_not_outlive_the_classifier_that_they_came_with(
    change: Callable[[RegNet], RegNet], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = change(create_model(small_bundle(provenance={"license": "mit", "test_top1": 88.0})))
    saved = Bundle.load(network.save_pretrained(tmp_path / "saved"))
    assert (saved.labels, saved.provenance) == (None, {"license": "mit"})
    assert caplog.messages[0] == (
        f"{tmp_path}/saved: saved without class names: the classifier was trained after they came with it; "
        "pass labels=model.labels if they still hold, or labels=[...]"
    )
    assert Bundle.load(network.save_pretrained(tmp_path / "named", labels=network.labels)).labels == LABELS
    network.labels = ("ant", "bee", "cow", "dog")
    network.provenance = {"data": "four animals"}
    saved = Bundle.load(network.save_pretrained(tmp_path / "renamed"))
    assert (saved.labels, saved.provenance) == (("ant", "bee", "cow", "dog"), {"data": "four animals"})


@pytest.mark.parametrize(
    "change",
    [
        lambda network: trained(network, only="s"),
        lambda network: network.half(),
        lambda network: network.bfloat16().float(),
        lambda network: copy.deepcopy(network).double(),
        lambda network: pickle.loads(pickle.dumps(network)),
    ],
    ids=["backbone", "half", "bfloat16 and back", "copy", "pickle"],
)
def test_names_stay_with_the_classifier_that_they_came_with(change: Callable[[RegNet], RegNet], tmp_path: Path) -> None:
    network = change(create_model(small_bundle(provenance={"data": "four colours"})))
    saved = Bundle.load(network.save_pretrained(tmp_path / "saved"))
    assert (saved.labels, saved.provenance) == (LABELS, {"data": "four colours"})


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_an_embedded_model_comes_back_whole(tmp_path: Path, name: str) -> None:
    original = Bundle.load(name)
    saved = Bundle.load(create_model(original).save_pretrained(tmp_path / "saved"))
    assert saved.metadata == original.metadata
    assert all((saved.weights[key] == original.weights[key]).all() for key in original.weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_saved_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    network = lively_network(THREE_STAGES, num_classes=2).to(dtype)
    saved = Bundle.load(network.save_pretrained(tmp_path / "saved")).weights
    for key, value in network.state_dict().items():
        assert saved[key].dtype == ("int64" if key.endswith("num_batches_tracked") else "float32")
        assert torch.equal(torch.from_numpy(saved[key].copy()), value.float() if value.is_floating_point() else value)


def test_training_options_do_not_matter(tmp_path: Path) -> None:
    network = lively_network(THREE_STAGES, drop_rate=0.5, drop_path_rate=0.5).train()
    network.set_grad_checkpointing()
    saved = create_model(copy.deepcopy(network).save_pretrained(tmp_path / "saved"))
    assert torch.equal(saved.eval()(IMAGES), network.eval()(IMAGES))


def test_what_a_bundle_cannot_say(tmp_path: Path) -> None:
    pruned = create_model(THREE_STAGES)
    pruned.prune_intermediate_layers([2])
    for network, message in (
        (create_model(THREE_STAGES, output_stride=8), "it is dilated; make it without output_stride=8$"),
        (create_model(THREE_STAGES, global_pool="max"), "global_pool is 'max'; reset_classifier"),
        (create_model(THREE_STAGES, global_pool="", num_classes=0), "global_pool is ''; reset_classifier"),
        (pruned, "stages were pruned; save the whole network$"),
    ):
        with pytest.raises(WeightsError, match=f"^birds: a bundle cannot say that {message}"):
            network.save_pretrained("birds")
    with pytest.raises(WeightsError, match=r"^there are 2 labels for 1000 classes$"):
        create_model(THREE_STAGES).save_pretrained(tmp_path / "saved", labels=("a", "b"))
    with pytest.raises(WeightsError, match=r"^preprocessing has a mean for 3 channels, the model takes 1$"):
        create_model(THREE_STAGES, in_chans=1).save_pretrained(tmp_path / "saved", preprocessing=Preprocessing())
    with pytest.raises(WeightsError, match=r"/saved: the network is on the meta device, where it has no weights"):
        create_model(THREE_STAGES).to("meta").save_pretrained(tmp_path / "saved")
    assert not any(tmp_path.iterdir())
    assert not Path("birds").exists()


def test_config_says_the_classes_that_were_reset(tmp_path: Path) -> None:
    network = create_model(FOUR_STAGES)
    network.reset_classifier(11)
    config = json.loads((network.save_pretrained(tmp_path / "saved") / "config.json").read_text("utf-8"))
    assert config["num_classes"] == config["pretrained_cfg"]["num_classes"] == config["regnety"]["num_classes"] == 11
