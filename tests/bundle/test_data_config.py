"""timm's data config: its keys, its types, its rules of what overrides what."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from bundles import small_bundle
from commands import python
from regnety import (
    Bundle,
    Design,
    Preprocessing,
    UnknownModelError,
    WeightsError,
    create_model,
    model_info,
    resolve_data_config,
    resolve_model_data_config,
)
from regnety.catalog.models import DEFAULT_MODEL
from regnety.catalog.published import list_weights
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD

USUAL = {
    "input_size": (3, 224, 224),
    "interpolation": "bicubic",
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "crop_pct": 0.875,
    "crop_mode": "center",
}
ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"img_size": 160},
    {"input_size": (3, 96, 128)},
    {"input_size": [1, 64, 64], "mean": [0.5], "std": (0.25,)},
    {"input_size": (4, 64, 64), "img_size": 32, "in_chans": 2},
    {"in_chans": 1, "img_size": 64, "mean": (0.5,), "std": (0.5,)},
    {"chans": 5, "img_size": 64, "mean": (0.5,)},
    {"in_chans": 1},
    {"crop_pct": 0.7, "interpolation": "bilinear", "crop_mode": "squash"},
    {"crop_pct": 0, "interpolation": "", "mean": None, "unknown": 1},
    {"mean": (0.1, 0.2, 0.3), "std": [1, 2, 3]},
]
"""What timm's scripts collect from a command line."""


def test_the_model_pages_call() -> None:
    network = create_model("regnety_002")
    assert resolve_data_config({}, model=network) == USUAL
    assert resolve_model_data_config(network) == USUAL
    assert list(resolve_data_config({}, model="regnety_002")) == list(USUAL)


def test_a_name_needs_no_weights_on_the_disk() -> None:
    wanted = {**USUAL, "crop_pct": 0.95}
    assert resolve_data_config(model="regnety_032") == wanted
    assert resolve_data_config(model="regnety_032", use_test_size=True) == {
        **wanted,
        "input_size": (3, 288, 288),
        "crop_pct": 1.0,
    }
    assert resolve_model_data_config("regnety_320.seer_ft_in1k", use_test_size=True)["input_size"] == (3, 384, 384)


def test_of_bundles_and_their_folders(tmp_path: Path) -> None:
    preprocessing = Preprocessing(image_size=48, crop_pct=0.9, mean=(0.1, 0.2, 0.3), interpolation="lanczos")
    bundle = small_bundle(preprocessing=preprocessing)
    wanted = {
        "input_size": (3, 48, 48),
        "interpolation": "lanczos",
        "mean": (0.1, 0.2, 0.3),
        "std": IMAGENET_STD,
        "crop_pct": 0.9,
        "crop_mode": "center",
    }
    folder = bundle.save(tmp_path / "bundle")
    for model in (bundle, folder, str(folder), create_model(bundle), create_model(folder)):
        assert resolve_data_config({}, model=model) == wanted
    assert resolve_data_config(model=DEFAULT_MODEL)["input_size"] == (3, 64, 64)


def test_a_network_carries_what_it_was_made_from() -> None:
    published = create_model("regnety_032.ra_in1k", num_classes=7).pretrained_cfg
    assert (published["architecture"], published["tag"], published["num_classes"]) == ("regnety_032", "ra_in1k", 7)
    assert (published["test_input_size"], published["license"]) == ((3, 288, 288), "apache-2.0")
    grey = create_model("regnety_032", in_chans=1)
    assert resolve_data_config({}, model=grey) == {
        **USUAL,
        "input_size": (1, 224, 224),
        "mean": IMAGENET_MEAN[:1],
        "std": IMAGENET_STD[:1],
        "crop_pct": 0.95,
    }
    design = Design(depth=2, w0=16, wa=16, wm=2, group_width=8)
    assert resolve_data_config({}, model=create_model(design)) == USUAL
    embedded = create_model(Bundle.load(DEFAULT_MODEL), num_classes=3)
    assert (embedded.pretrained_cfg["num_classes"], embedded.pretrained_cfg["input_size"]) == (3, (3, 64, 64))


def test_arguments_in_timms_order() -> None:
    own = {"input_size": (3, 100, 100), "crop_pct": 0.5, "test_input_size": (3, 200, 200)}
    assert resolve_data_config({}, own, None, True, False)["input_size"] == (3, 200, 200)
    assert resolve_data_config({"img_size": 64}, own)["input_size"] == (3, 64, 64)
    assert resolve_model_data_config("regnety_032", {"crop_pct": 0.6}, own, True) == {
        **USUAL,
        "input_size": (3, 200, 200),
        "crop_pct": 0.6,
    }


def test_verbose_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "regnety"):
        resolve_data_config(model="regnety_002", verbose=True)
    assert "crop_pct: 0.875" in caplog.messages


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, WeightsError, "a data config needs a model: resolve_data_config(model='regnety_040')"),
        ({"args": {}, "pretrained_cfg": {}}, WeightsError, "a data config needs a model"),
        ({"model": "regnetz"}, UnknownModelError, "no model named 'regnetz', and no such file or folder; did you"),
        ({"model": "regnety_032.x"}, UnknownModelError, "regnety_032 has no published weights tagged 'x'; its tags"),
        (
            {"model": torch.nn.Linear(1, 1)},
            WeightsError,
            "model is a Linear without pretrained_cfg; give the name of a model",
        ),
        ({"model": 5}, WeightsError, "model is a int without pretrained_cfg; "),
        ({"args": {"input_size": (224, 224)}}, WeightsError, "input_size must be (channels, height, width), got (224"),
        ({"args": {"input_size": 224}}, WeightsError, "input_size must be (channels, height, width), got 224"),
        ({"args": {"img_size": "224"}}, WeightsError, "img_size must be a whole number of pixels, got '224'"),
        (
            {"args": {"mean": (1, 2)}},
            WeightsError,
            "mean must be a number for each of 3 channels, or one for all, got ",
        ),
        ({"args": {"std": 0.5}}, WeightsError, "std must be a number for each of 3 channels, or one for all, got 0.5"),
    ],
)
def test_what_it_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        resolve_data_config(**arguments)
    assert str(raised.value).startswith(message)


def test_it_needs_no_torch() -> None:
    code = "import sys, regnety; regnety.resolve_data_config(model='regnety_032'); print('torch' in sys.modules)"
    assert python(code).stdout == "False\n"


@pytest.mark.parametrize("use_test_size", [False, True])
@pytest.mark.parametrize("name", list_weights())
def test_it_is_timms(name: str, use_test_size: bool, timm: Any) -> None:
    cfg = timm.models.get_pretrained_cfg(name).to_dict()
    own = resolve_model_data_config(name, use_test_size=use_test_size)
    assert own == timm.data.resolve_data_config({}, pretrained_cfg=cfg, use_test_size=use_test_size)
    published = model_info(name).published
    assert published is not None
    assert (cfg["num_classes"], cfg["hf_hub_id"], cfg["license"]) == (
        published.num_classes,
        published.hub_repo,
        published.license,
    )


@pytest.mark.parametrize("use_test_size", [False, True])
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
@pytest.mark.parametrize("name", [None, "regnety_032.ra_in1k", "regnety_320.seer"])
def test_arguments_override_as_timms(name: str | None, arguments: Any, use_test_size: bool, timm: Any) -> None:
    cfg = None if name is None else timm.models.get_pretrained_cfg(name).to_dict()
    if name is None and not arguments:
        return
    own = resolve_data_config(arguments, model=name, use_test_size=use_test_size)
    assert own == timm.data.resolve_data_config(arguments, pretrained_cfg=cfg, use_test_size=use_test_size)
