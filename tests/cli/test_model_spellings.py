"""Every command takes every spelling of a model: what they mean is told by one resolver."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from bundles import LABELS, random_weights, small_bundle
from commands import one_line, regnety, regnety_here
from pictures import noise, write_colours
from regnety import Bundle, Embedder, Predictor, create_model, inspect_model, model_card, resolve_data_config
from regnety.bundle.resolver import describe_model, fetch_model
from regnety.catalog.models import embedded_bundle, model_info
from regnety.files.safetensors_files import write_safetensors
from regnety.inference.latency.timed_models import timed_model
from web_server import WebServer

REPOSITORY = "me/birds"
PLACES = {
    "hf-hub": f"hf-hub:{REPOSITORY}",
    "hf_hub": f"hf_hub:{REPOSITORY}",
    "revision": f"hf-hub:{REPOSITORY}@main",
    "capitals": f"HF-Hub:{REPOSITORY}",
    "local-dir": "local-dir:nest/birds",
    "local-dir and home": "local-dir:~/birds",
    "folder": "nest/birds",
    "home": "~/birds",
    "file": "nest/birds/model.safetensors",
}
NAMES = (
    "regnety_004.tv2_in1k",
    "regnet_y_400mf",
    "hf-hub:timm/regnety_004.tv2_in1k",
    "HF_hub:timm/regnety_004.tv2_in1k",
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """The Hub, with a repository of ours; the same folder is below the current one and at home."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "nest"))
    monkeypatch.delenv("REGNETY_OFFLINE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nest").mkdir()
    folder = small_bundle().save(tmp_path / "nest" / "birds")
    noise(40, 30).save(tmp_path / "a.png")
    with WebServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        for name in ("config.json", "model.safetensors"):
            server.add_hub_file(REPOSITORY, name, (folder / name).read_bytes())
        yield server


@pytest.fixture
def named(hub: WebServer, tmp_path: Path) -> str:
    """The name of published weights that are on this disk."""
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    weights = random_weights(model_info("regnety_004").design.architecture())
    write_safetensors(folder / "regnety_004.tv2_in1k.safetensors", weights)
    return "regnety_004.tv2_in1k"


COMMANDS: dict[str, tuple[Any, ...]] = {
    "predict": ("a.png", "--format", "json", "-q", "--model"),
    "embed": ("a.png", "-o", "a.parquet", "-q", "--model"),
    "describe": ("--format", "json"),
    "card": (),
    "inspect": ("--format", "json"),
    "fetch": (),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_places_mean_the_same_in_every_command(
    command: str, hub: WebServer, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for spelling in PLACES.values():
        result = regnety_here(capfd, command, *COMMANDS[command], spelling)
        assert result.returncode == 0, (spelling, result.stderr)
        if command == "predict":
            (row,) = json.loads(result.stdout)
            assert {entry["label"] for entry in row["predictions"]} == set(LABELS), spelling
        elif command == "describe":
            facts = json.loads(result.stdout)
            assert (facts["design"]["depth"], facts["num_classes"]) == (2, len(LABELS)), spelling
        elif command == "inspect":
            facts = json.loads(result.stdout)
            assert (facts["problem"], facts["design"]["depth"]) == (None, 2), spelling
        elif command == "fetch":
            assert Path(result.stdout.rpartition(":")[0]).exists(), spelling
        elif command == "card":
            assert "- library_name" in result.stdout or "library_name: regnety" in result.stdout, spelling


@pytest.mark.parametrize("command", ["export", "convert", "eval"])
def test_places_mean_the_same_where_something_is_written_or_scored(
    command: str, hub: WebServer, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_colours(tmp_path / "data", *LABELS[:3], count=1)
    for number, spelling in enumerate(PLACES.values()):
        out = f"{number}.{'onnx' if command == 'export' else 'safetensors'}"
        arguments = {
            "export": (spelling, "-o", out, "-q"),
            "convert": (spelling, out, "--to", "regnety", "-q"),
            "eval": ("--data", "data", "--model", spelling, "--format", "json", "-q"),
        }
        result = regnety_here(capfd, command, *arguments[command])
        assert result.returncode == 0, (spelling, result.stderr)
        if command == "eval":
            assert json.loads(result.stdout)["count"] == 3, spelling
        else:
            assert Bundle.load(out).metadata.num_classes == len(LABELS), spelling


@pytest.mark.parametrize("command", COMMANDS)
def test_names_mean_the_same_in_every_command(command: str, named: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = set()
    for spelling in NAMES:
        result = regnety_here(capfd, command, *COMMANDS[command], spelling)
        assert result.returncode == 0, (spelling, result.stderr)
        said.add(result.stdout.replace(spelling, named) if command == "describe" else result.stdout)
    assert len(said) == 1


def test_functions_take_what_commands_take(hub: WebServer) -> None:
    bias = small_bundle().weights["head.fc.bias"]
    for spelling in (*PLACES.values(), Path("~/birds")):
        assert describe_model(spelling) == small_bundle().metadata, spelling
        assert create_model(spelling, num_classes=len(LABELS)).labels == LABELS or "hub" in str(spelling).lower()
        assert (Predictor(spelling).bundle.weights["head.fc.bias"] == bias).all(), spelling
        assert Embedder(spelling).bundle.metadata.design == small_bundle().metadata.design, spelling
        assert resolve_data_config(model=spelling)["input_size"] == (3, 32, 32), spelling
        assert timed_model(str(spelling)).bundle.metadata.num_classes == len(LABELS), spelling
        assert inspect_model(spelling).num_classes == len(LABELS), spelling
        assert "# " in model_card(spelling), spelling
        assert fetch_model(str(spelling)).exists(), spelling
    trained = create_model("hf_hub:me/birds", pretrained=True)
    assert np.array_equal(trained.head.fc.bias.detach().numpy(), bias)


def test_what_a_name_is_needs_no_weights(hub: WebServer, capfd: pytest.CaptureFixture[str]) -> None:
    for spelling in NAMES:
        metadata = describe_model(spelling)
        assert (metadata.design, metadata.num_classes) == (model_info("regnety_004").design, 1000)
        assert metadata.preprocessing.crop_pct == 0.965
        assert (
            json.loads(regnety_here(capfd, "describe", spelling, "--format", "json").stdout)["num_params"] == 4_344_144
        )
    assert hub.requests == []


def test_what_a_repository_is_needs_no_weights_either(hub: WebServer, capfd: pytest.CaptureFixture[str]) -> None:
    del hub.files[f"/{REPOSITORY}/resolve/main/model.safetensors"]
    assert regnety_here(capfd, "describe", f"hf-hub:{REPOSITORY}").returncode == 0
    assert not any("safetensors" in request.path for request in hub.requests)


def test_a_sharded_repository_of_torch_files_is_a_model(hub: WebServer, tmp_path: Path) -> None:
    """`pytorch_model.bin.index.json`, as transformers wrote large models before safetensors."""
    weights = small_bundle().weights
    shards: dict[str, dict[str, torch.Tensor]] = {"1.bin": {}, "2.bin": {}}
    for number, key in enumerate(weights):
        shards[f"{number % 2 + 1}.bin"][key] = torch.from_numpy(np.array(weights[key]))
    index = {"weight_map": {key: name for name, shard in shards.items() for key in shard}}
    config = {"architecture": "regnety_002", "num_classes": len(LABELS), "model_args": _timms(small_bundle())}
    hub.add_hub_file("me/shards", "config.json", json.dumps(config).encode())
    hub.add_hub_file("me/shards", "pytorch_model.bin.index.json", json.dumps(index).encode())
    for name, shard in shards.items():
        torch.save(shard, tmp_path / name)
        hub.add_hub_file("me/shards", name, (tmp_path / name).read_bytes())
    bundle = Bundle.load("hf_hub:me/shards")
    assert all(np.array_equal(bundle.weights[key], weights[key]) for key in weights)


def _timms(bundle: Bundle) -> dict[str, Any]:
    names = {"group_width": "group_size", "bottleneck_multiplier": "bottle_ratio"}
    wanted = ("depth", "w0", "wa", "wm", "group_width", "se_ratio", "stem_width")
    return {names.get(name, name): bundle.metadata.design.as_dict()[name] for name in wanted}


@pytest.mark.parametrize("command", ["predict", "describe", "card", "inspect", "fetch"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("local-dir:", "local-dir: has no folder; write local-dir:FOLDER"),
        ("local-dir:gone", "gone: no such file or folder"),
        ("hf-hub:birds", "hf-hub:birds: is not a repository of the Hub"),
        ("~/gone", "~/gone: no such file or folder"),
        ("gone/birds", "gone/birds: no such file or folder"),
    ],
)
def test_what_is_not_there_is_the_same_line(
    command: str, model: str, message: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = (os.devnull, "--model", model) if command == "predict" else (model,)
    assert one_line(regnety_here(capfd, command, *arguments)).startswith(message)


def test_the_model_that_comes_with_the_package_is_inspected_by_its_name() -> None:
    result = regnety("inspect", "regnety_cifar10", "--format", "json")
    facts = json.loads(result.stdout)
    assert (facts["path"], facts["num_classes"]) == (str(embedded_bundle("regnety_cifar10")), 10)
