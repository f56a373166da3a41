"""MODEL: a name, the folder of a bundle, or a file."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bundles import LABELS, random_weights, small_bundle
from commands import one_line, regnety
from pictures import noise
from regnety import Bundle, Predictor, UnknownModelError, WeightsError
from regnety.bundle.resolver import published_weights
from regnety.bundle.training_files import TrainingFiles
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.export.conversion import convert_model
from regnety.files.safetensors_files import write_safetensors
from regnety.storage.cache import cache_directory
from web_server import WebServer


def test_a_bundle_is_itself() -> None:
    bundle = small_bundle()
    assert Bundle.load(bundle) is bundle


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_named_as_it_was_given(kind: type, tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    assert Bundle.load(kind(folder)).name == str(folder)


@pytest.mark.parametrize(
    ("name", "labels", "count"), [("regnety_tiny", {"tabby", "teapot"}, 200), ("regnety_cifar10", {"cat", "dog"}, 10)]
)
def test_the_embedded_models_are_there(name: str, labels: set[str], count: int) -> None:
    bundle = Bundle.load(name)
    assert bundle.name == name
    assert bundle.labels is not None
    assert labels <= set(bundle.labels)
    assert len(bundle.labels) == bundle.metadata.num_classes == count
    assert Predictor(name).bundle.metadata == bundle.metadata


def test_the_first_embedded_model_answers_where_none_is_named() -> None:
    assert Predictor().bundle.name == "regnety_tiny"


def test_a_name_wins_over_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_bundle().save("regnety_cifar10")
    assert Bundle.load("regnety_cifar10").metadata.num_classes == 10
    assert Bundle.load("./regnety_cifar10").metadata.num_classes == 4


def test_a_published_name_wins_over_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_bundle().save("regnety_040")
    with pytest.raises(UnknownModelError, match=r" \(the folder of that name is \./regnety_040\)$"):
        Bundle.load("regnety_040")
    assert (
        Bundle.load("./regnety_040").metadata.num_classes == Bundle.load(Path("regnety_040")).metadata.num_classes == 4
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("regnety_41", "no model named 'regnety_41', and no such file or folder; did you mean regnety_"),
        (
            "regnetz_040",
            "no model named 'regnetz_040', and no such file or folder; RegNetZ is another family, which t",
        ),
        ("birds", "no model named 'birds', and no such file or folder; `regnety models` lists all"),
        ("", "no model named '', and no such file or folder; `regnety models` lists all"),
        ("a\0b", "no model named 'a\\x00b', and no such file or folder; "),
        ("x" * 5000, "no model named 'xxx"),
        ("no/such/folder", "no/such/folder: no such file or folder; a model is a name, hf-hub:owner/name"),
        (Path("regnety_040"), "regnety_040: no such file or folder; a model is a name, hf-hub:owner/name, a folder"),
        ("birds.safetensors", "birds.safetensors: no such file or folder; "),
        ("regnety_002.SAFETENSORS", "regnety_002.SAFETENSORS: no such file or folder; "),
        (
            "regnety_040.a1_in1k",
            "regnety_040 has no published weights tagged 'a1_in1k'; its tags: ra3_in1k, pycls_in1k",
        ),
        (
            None,
            "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file, got NoneType None",
        ),
        (5, "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file, got int 5"),
        (
            b"regnety_040",
            "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file, got bytes",
        ),
    ],
)
def test_what_is_not_known(model: Any, message: str) -> None:
    with pytest.raises(UnknownModelError) as error:
        Bundle.load(model)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "tag"), [("regnety_040", "regnety_040.pycls_in1k"), ("regnety_032.tv2_in1k", "regnety_032.tv2_in1k")]
)
def test_a_name_without_weights_says_where_they_can_be_put(name: str, tag: str) -> None:
    url = model_info(tag).published.url
    with pytest.raises(UnknownModelError) as error:
        Bundle.load(name)
    assert str(error.value) == (
        f"{tag}: the weights of this model are not on this disk, and offline mode is on (REGNETY_OFFLINE); "
        f"unset it, or put model.safetensors of https://huggingface.co/timm/{tag} at "
        f"{cache_directory()}/weights/{tag}.safetensors, or the file of {url} at "
        f"{cache_directory()}/weights/{url.rpartition('/')[2]}"
    )


@pytest.mark.parametrize("name", ["model.onnx.data", "model.bin", "model.pth", "model", "model.safetensors.bak"])
def test_files_of_other_kinds(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("neither this nor that")
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path / name)
    assert str(error.value) == f"{tmp_path}/{name}: is not a file of weights; it looks like text"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="is a device or a pipe; a model is a name"):
        Bundle.load(tmp_path / "model.safetensors")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path)
    assert (
        str(error.value)
        == f"{tmp_path}: is not a bundle, it has no config.json; name a run or its bundle, e.g. runs/fruit"
    )


def test_the_weights_file_of_a_bundle_is_the_bundle(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    bundle = Bundle.load(folder / "model.safetensors")
    assert (bundle.path, bundle.labels, bundle.notice) == (folder, Bundle.load(folder).labels, None)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("regnety_032", "regnety_032.ra_in1k"),
        ("regnety_032.tv2_in1k", "regnety_032.tv2_in1k"),
        ("regnet_y_400mf", "regnety_004.tv2_in1k"),
        ("regnet_y_800mf", "regnety_008_tv.tv2_in1k"),
        ("RegNetY-4.0GF", "regnety_040.pycls_in1k"),
        ("RegNetX-200MF", "regnetx_002.pycls_in1k"),
        ("hf-hub:timm/regnety_040.ra3_in1k", "regnety_040.ra3_in1k"),
        ("hf_hub:timm/regnety_040.ra3_in1k", "regnety_040.ra3_in1k"),
        ("hf-hub:me/regnety_040.ra3_in1k", None),
        ("timm/regnety_040.ra3_in1k", None),
        ("./regnety_032", None),
        ("regnet_y_400MF", None),
        ("RegNetY-4GF", None),
    ],
)
def test_published_weights_by_every_name(model: str, name: str | None) -> None:
    published = published_weights(model)
    assert (None if published is None else published.name) == name


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own, and the folder of weights in it."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("alias", ["regnety_004.tv2_in1k", "regnet_y_400mf", "hf-hub:timm/regnety_004.tv2_in1k"])
def test_another_name_reads_the_same_file(alias: str, cache: Path) -> None:
    weights = random_weights(model_info("regnety_004").design.architecture())
    write_safetensors(cache / "regnety_004.tv2_in1k.safetensors", weights)
    bundle = Bundle.load(alias)
    assert (bundle.name, bundle.path) == ("regnety_004.tv2_in1k", cache / "regnety_004.tv2_in1k.safetensors")
    assert bundle.preprocessing.crop_pct == 0.965
    assert bundle.labels is not None


@pytest.mark.parametrize("name", ["regnety_002.pycls_in1k.pth", "regnety_002-e68ca334.pth"])
def test_a_file_of_torch_that_was_put_into_the_cache(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name of the weights, or as its address calls it."""
    bundle = small_bundle(None, design=model_info("regnety_002").design, num_classes=1000)
    convert_model(bundle, cache / name, to="timm")
    digits = hashlib.sha256((cache / name).read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(PublishedWeights, "url_sha256_prefix", digits)  # no random weights have the hash of the name
    found = Bundle.load("regnety_002")
    assert (found.name, found.path, found.notice) == ("regnety_002.pycls_in1k", cache / name, None)
    assert (found.weights["head.fc.bias"] == bundle.weights["head.fc.bias"]).all()


def test_a_folder_in_timms_way(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    assert Bundle.load(f"local-dir:{folder}").labels == LABELS
    with pytest.raises(UnknownModelError, match=r"^gone/birds: no such file or folder; a model is a name"):
        Bundle.load("local-dir:gone/birds")


def test_a_folder_that_has_the_name_of_a_model_in_timms_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_bundle().save("regnety_cifar10")
    assert Bundle.load("local-dir:regnety_cifar10").labels == LABELS


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hf-hub:", "is not a repository of the Hub; expected hf-hub:OWNER/NAME[@REVISION]"),
        ("hf-hub:birds", "is not a repository of the Hub"),
        ("hf-hub:me/birds/model.safetensors", "is not a repository of the Hub"),
        ("hf_hub:../birds", "is not a repository of the Hub"),
        ("hf-hub:me/birds", "config.json is not in the Hub's cache, and REGNETY_OFFLINE forbids asking the Hub"),
    ],
)
def test_repositories_that_cannot_be_had(model: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message.replace("[", r"\[")) as error:
        Bundle.load(model)
    assert "\n" not in str(error.value)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Hub of every process that is started."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    with WebServer() as server:
        monkeypatch.delenv("REGNETY_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield server


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    noise(40, 30).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_repository_answers_from_the_hub_and_then_from_its_cache(
    hub: WebServer, tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = small_bundle()
    bundle.training_files = TrainingFiles.of([picture])
    folder = bundle.save(tmp_path / "birds")
    for name in ("config.json", "model.safetensors", "training_files.bin"):
        hub.add_hub_file("me/birds", name, (folder / name).read_bytes())
    answers = [
        regnety("predict", picture, "--model", model, "--format", "json", "--quiet")
        for model in ("hf-hub:me/birds", "hf_hub:me/birds@main", folder)
    ]
    monkeypatch.setenv("REGNETY_OFFLINE", "1")
    hub.files.clear()
    answers.append(regnety("predict", picture, "--model", "hf-hub:me/birds", "--format", "json", "--quiet"))
    assert [answer.stderr for answer in answers] == [""] * 4
    assert len({answer.stdout for answer in answers}) == 1
    assert len(list((tmp_path / "hf").rglob("training_files.bin"))) == 1
    (row,) = json.loads(answers[0].stdout)
    assert {entry["label"] for entry in row["predictions"]} == set(LABELS)


def test_errors_of_the_hub_are_one_line(hub: WebServer, picture: Path) -> None:
    def said(model: str) -> str:
        return one_line(regnety("predict", picture, "--model", model))

    assert said("hf-hub:me/none").startswith(f"{hub.url}/me/none: there is no such repository; or it is private")
    hub.add_hub_file("me/resnet", "config.json", b'{"architecture": "resnet50", "num_classes": 3}')
    hub.add_hub_file("me/resnet", "model.safetensors", b"x" * 100)
    line = said("hf-hub:me/resnet")
    assert line.endswith("config.json: architecture is 'resnet50', which is not a RegNet that regnety knows")
    hub.add_hub_file("me/bare", "model.safetensors", b"x" * 100)
    assert said("hf-hub:me/bare") == f"{hub.url}/me/bare: has no config.json"


def test_a_repository_without_its_scheme_is_hinted_at() -> None:
    with pytest.raises(UnknownModelError, match=r"no such file or folder \(on the Hub it would be hf-hub:me/birds\); "):
        Bundle.load("me/birds")
