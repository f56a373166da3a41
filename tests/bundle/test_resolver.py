"""MODEL: a name, the folder of a bundle, or a file."""

import os
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from regnety import Bundle, Predictor, UnknownModelError, WeightsError
from regnety.catalog.models import model_info
from regnety.storage import cache_directory


def test_a_bundle_is_itself() -> None:
    bundle = small_bundle()
    assert Bundle.load(bundle) is bundle


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_named_as_it_was_given(kind: type, tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    assert Bundle.load(kind(folder)).name == str(folder)


def test_the_embedded_model_is_there() -> None:
    bundle = Bundle.load("regnety_cifar10")
    assert bundle.name == "regnety_cifar10"
    assert bundle.labels is not None
    assert {"cat", "dog"} <= set(bundle.labels)
    assert len(bundle.labels) == bundle.metadata.num_classes == 10
    assert Predictor().bundle.metadata == bundle.metadata


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
        ("regnetz_040", "no model named 'regnetz_040', and no such file or folder; did you mean regnety_040, "),
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
    assert str(error.value) == f"{tmp_path}/{name}: is no file of weights; it looks like text"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="is a device or a pipe; a model is a name"):
        Bundle.load(tmp_path / "model.safetensors")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path)
    assert str(error.value) == f"{tmp_path}: is not a bundle, it has no config.json"


def test_the_weights_file_of_a_bundle_is_the_bundle(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    bundle = Bundle.load(folder / "model.safetensors")
    assert (bundle.path, bundle.labels, bundle.notice) == (folder, Bundle.load(folder).labels, None)
