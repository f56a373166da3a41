"""timm's arguments of `create_model`: followed as timm follows them, or refused in one line that says what to do."""

import copy
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import REGNETY_002, random_weights, small_bundle
from regnety import Bundle, get_pretrained_cfg, resolve_data_config
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError, UnknownModelError, WeightsError
from regnety.files.safetensors_files import write_safetensors
from regnety.network.creation import create_model

HARMLESS: list[dict[str, Any]] = [
    {"scriptable": True, "exportable": True, "no_jit": True},
    {"act_layer": "relu", "norm_layer": "batchnorm"},
    {"act_layer": torch.nn.ReLU, "norm_layer": torch.nn.BatchNorm2d},
    {"act_layer": None, "norm_layer": None, "cache_dir": None, "se_ratio": None, "pruned": False},
    {"cache_dir": "/nowhere", "checkpoint_path": ""},
    {"zero_init_last": True, "pretrained_cfg": None, "pretrained_cfg_overlay": None},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A checkpoint of regnety_002 with 1000 classes."""
    path = tmp_path / "weights.safetensors"
    write_safetensors(path, random_weights(REGNETY_002.architecture()))
    return path


@pytest.mark.parametrize("options", HARMLESS, ids=str)
def test_what_changes_nothing_is_taken_as_timm_takes_it(options: dict[str, Any], timm: Any) -> None:
    network = create_model("regnety_002", **options)
    assert list(network.state_dict()) == list(timm.create_model("regnety_002", **options).state_dict())


def test_the_model_may_be_called_model_name() -> None:
    assert create_model(model_name="regnety_002", num_classes=2).num_classes == 2
    for arguments in ({}, {"model": "regnety_002", "model_name": "regnety_002"}):
        with pytest.raises(UnknownModelError, match=r"^create_model needs a model: "):
            create_model(**arguments)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"act_layer": "silu"}, "act_layer='silu': every block here has ReLU; timm.create_model builds others"),
        ({"act_layer": torch.nn.GELU}, "act_layer=GELU: every block here has ReLU"),
        ({"norm_layer": "groupnorm"}, "norm_layer='groupnorm': every layer here has BatchNorm2d (see bn_momentum and"),
        ({"norm_layer": partial(torch.nn.BatchNorm2d, eps=1e-3)}, "norm_layer=functools.partial("),
        (
            {"cache_dir": "/x", "pretrained": True},
            "cache_dir='/x': HF_HOME moves the Hub's cache and REGNETY_CACHE ours",
        ),
        ({"se_ratio": 0.0}, "se_ratio=0.0: a name has its own design; pass another one, as Design(...)"),
        ({"group_size": 16}, "group_size=16: a name has its own design"),
        ({"depth": 3}, "depth=3: a name has its own design"),
        ({"zero_init_last": False}, "zero_init_last=False: initialization='timm' or 'pycls' says how"),
        ({"feature_cls": "hook"}, "feature_cls='hook': features_only gives a list of maps"),
        (
            {"device": "meta"},
            "device='meta': call .to(...) on the network, or make it inside of `with torch.device(...)",
        ),
        ({"dtype": torch.float16}, "dtype=torch.float16: call .to(...) on the network"),
        ({"img_size": 128}, "img_size=128: a RegNet takes pictures of any size"),
        ({"pretrained_cfg": 5}, "pretrained_cfg must be a table of entries, got 5"),
        ({"pretrained_cfg_overlay": "x.pth"}, "pretrained_cfg_overlay must be a table of entries, got 'x.pth'"),
        (
            {"pretrained_cfg_overlay": {"url": "https://a/b.pth"}, "pretrained": True},
            "pretrained_cfg has url: fetch it, and give pretrained_cfg_overlay={'file': PATH} or checkpoint_path=PATH",
        ),
        (
            {"pretrained_cfg_overlay": {"state_dict": {"a": 1}}, "pretrained": True},
            "pretrained_cfg has state_dict: creat",
        ),
    ],
)
def test_what_cannot_be_followed_says_what_can(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDesignError) as error:
        create_model("regnety_002", **options)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["url", "file", "colour", "drop_paths"])
def test_what_timm_does_not_know_either_is_a_wrong_call(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^create_model\(\) got an unexpected keyword argument '{name}'$"):
        create_model("regnety_002", **{name: 3})


def test_a_tag_is_the_tag_of_the_name(timm: Any) -> None:
    for name in ("regnety_032", "regnety_032.pycls_in1k"):
        network = create_model(name, pretrained_cfg="tv2_in1k")
        theirs = timm.create_model(name, pretrained_cfg="tv2_in1k")
        assert network.pretrained_cfg["tag"] == theirs.pretrained_cfg["tag"] == "tv2_in1k"
        assert network.preprocessing.crop_pct == theirs.pretrained_cfg["crop_pct"] == 0.965
    with pytest.raises(UnknownModelError, match="has no published weights tagged 'x'"):
        create_model("regnety_032", pretrained_cfg="x")
    with pytest.raises(WeightsError, match=r"^pretrained_cfg='x' is the tag of a name's weights; "):
        create_model(small_bundle(), pretrained_cfg="x")


OVERLAYS: list[dict[str, Any]] = [
    {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    {"input_size": (3, 128, 128), "crop_pct": 1.0, "interpolation": "bilinear"},
    {"input_size": [3, 96, 96], "test_input_size": (3, 128, 128), "test_crop_pct": 0.9},
    {"num_classes": 7},
    {"input_size": (1, 64, 64), "mean": (0.5,), "std": (0.25,)},
    {"num_classes": 7, "note": "mine"},
]


@pytest.mark.parametrize("table", OVERLAYS, ids=str)
@pytest.mark.parametrize("argument", ["pretrained_cfg", "pretrained_cfg_overlay"])
def test_tables_say_what_timm_says(argument: str, table: dict[str, Any], timm: Any) -> None:
    if "note" in table:
        table = {key: value for key, value in table.items() if key != "note"} | {"license": "mine"}
    network = create_model("regnety_032", **{argument: table})
    theirs = timm.create_model("regnety_032", **{argument: table})
    assert (network.num_classes, network.in_chans) == (theirs.num_classes, theirs.in_chans)
    for test_size in (False, True)[: network.in_chans]:  # timm keeps the published channels for the test size
        ours, wanted = (resolve_data_config({}, model=model, use_test_size=test_size) for model in (network, theirs))
        by_timm = timm.data.resolve_data_config({}, model=network, use_test_size=test_size)
        for key in ("input_size", "mean", "std", "crop_pct", "interpolation"):
            assert tuple(np.atleast_1d(ours[key])) == tuple(np.atleast_1d(wanted[key])), key
            assert tuple(np.atleast_1d(by_timm[key])) == tuple(np.atleast_1d(wanted[key])), key
    assert network.pretrained_cfg.get("license") == theirs.pretrained_cfg.get("license")
    side = theirs.pretrained_cfg["input_size"][1]
    assert (network.preprocessing.image_size, len(network.preprocessing.mean)) == (side, network.in_chans)


def test_a_file_in_the_table_has_the_weights(file: Path, timm: Any) -> None:
    """The way by which timm is told of weights on this disk."""
    wanted = Bundle.load(file).weights["stem.conv.weight"]
    overlay = {"file": str(file), "mean": (0.5,) * 3}
    network = create_model("regnety_002", pretrained=True, pretrained_cfg_overlay=overlay)
    assert np.array_equal(network.stem.conv.weight.detach().numpy(), wanted)
    theirs = timm.create_model("regnety_002", pretrained=True, pretrained_cfg_overlay=overlay)
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in network.state_dict().items())
    assert network.preprocessing.mean == (0.5,) * 3
    same = create_model("regnety_002", pretrained=True, pretrained_cfg={"file": file, "num_classes": 1000})
    assert np.array_equal(same.stem.conv.weight.detach().numpy(), wanted)
    features = create_model("regnety_002", pretrained=True, features_only=True, pretrained_cfg_overlay=overlay)
    assert np.array_equal(features.stem.conv.weight.detach().numpy(), wanted)
    other = create_model("regnety_002", pretrained=False, pretrained_cfg_overlay=overlay)
    assert not np.array_equal(other.stem.conv.weight.detach().numpy(), wanted)


def test_a_repository_in_the_table_has_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    weights = random_weights(model_info("regnety_032").design.architecture())
    write_safetensors(folder / "regnety_032.tv2_in1k.safetensors", weights)
    cfg = get_pretrained_cfg("regnety_032.tv2_in1k")
    for table in (cfg, dict(cfg or {}), {"hf_hub_id": "timm/regnety_032.tv2_in1k", "crop_pct": 0.965}):
        network = create_model("regnety_032", pretrained=True, pretrained_cfg=table)
        assert np.array_equal(network.head.fc.bias.detach().numpy(), weights["head.fc.bias"])
        assert network.preprocessing.crop_pct == 0.965
        assert network.labels is not None
    tagged = create_model("regnety_032", pretrained=True, pretrained_cfg="tv2_in1k")
    assert np.array_equal(tagged.head.fc.bias.detach().numpy(), weights["head.fc.bias"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pretrained_cfg_overlay": {"input_size": (3, 224, 320)}},
            "pretrained_cfg: input_size is (3, 224, 320); only squ",
        ),
        (
            {"pretrained_cfg_overlay": {"input_size": 224}},
            "pretrained_cfg: input_size must be (channels, height, width)",
        ),
        (
            {"pretrained_cfg_overlay": {"crop_mode": "squash"}},
            "pretrained_cfg: crop_mode is 'squash'",
        ),
        (
            {"pretrained": True, "pretrained_cfg": {"crop_pct": 1.0}},
            "pretrained_cfg says nothing of weights, in file, h",
        ),
        (
            {"pretrained": True, "pretrained_cfg_overlay": {"file": "a.pth"}, "checkpoint_path": "b.pth"},
            "pretrained_cfg's file and checkpoint_path='b.pth' contradict each other",
        ),
    ],
)
def test_tables_that_cannot_be_followed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError) as error:
        create_model("regnety_002", **options)
    assert str(error.value).startswith(message)


def test_a_table_is_a_plain_one_in_every_copy() -> None:
    cfg = get_pretrained_cfg("regnety_002")
    assert cfg is not None
    for copied in (copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert (copied, copied.tag, copied.nothing) == (cfg, "pycls_in1k", None)
