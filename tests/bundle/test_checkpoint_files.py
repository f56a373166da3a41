"""A bare safetensors file, and one that stands in the cache under the name of published weights."""

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import REGNETY_002, random_weights, small_bundle
from commands import python, regnety
from pictures import noise
from regnety import Bundle, Predictor, WeightsError, create_model
from regnety.bundle.checkpoint_files import read_checkpoint
from regnety.bundle.resolver import describe_model
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.export.conversion import convert_model
from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
from regnety.inference.engines.graph_cache import graph_of
from regnety.preprocessing import IMAGENET_MEAN, Preprocessing


def write_model(path: Path, name: str = "regnety_002", *, num_classes: int = 1000, in_chans: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, random_weights(model_info(name).design.architecture(num_classes, in_chans)))
    return path


def in_cache(name: str) -> PublishedWeights:
    published = model_info(name).published
    assert published is not None
    return published


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("weights") / "birds.safetensors")


def test_a_bare_file_is_known_by_its_shapes(file: Path) -> None:
    bundle = Bundle.load(file)
    assert bundle.architecture == REGNETY_002.architecture()
    assert (bundle.name, bundle.path, bundle.labels, bundle.provenance) == (str(file), file, None, {})
    assert bundle.preprocessing == in_cache("regnety_002").preprocessing == Preprocessing()
    assert bundle.notice == (
        f"{file} fits regnety_002 by its shapes; the preprocessing of regnety_002.pycls_in1k is assumed"
    )
    np.testing.assert_array_equal(bundle.weights["head.fc.bias"], random_weights(bundle.architecture)["head.fc.bias"])


def test_the_preprocessing_is_that_of_the_models_default_weights(tmp_path: Path) -> None:
    bundle = Bundle.load(write_model(tmp_path / "BIRDS.SafeTensors", "regnety_032", num_classes=10))
    assert bundle.preprocessing == Preprocessing(crop_pct=0.95, test_image_size=288, test_crop_pct=1.0)
    assert bundle.metadata.num_classes == 10
    assert "regnety_032.ra_in1k is assumed" in str(bundle.notice)


def test_mean_and_std_are_repeated_for_other_channels(tmp_path: Path) -> None:
    bundle = Bundle.load(write_model(tmp_path / "grey.safetensors", in_chans=4, num_classes=0))
    assert bundle.preprocessing.mean == (*IMAGENET_MEAN, IMAGENET_MEAN[0])
    assert (bundle.metadata.in_chans, bundle.metadata.num_classes) == (4, 0)
    assert str(bundle.notice).endswith("is assumed")


def test_reading_is_lazy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(SafetensorsWeights, "__getitem__", lambda self, key: read.append(key))
    Bundle.load(file)
    assert read == []


def test_reading_imports_neither_onnx_nor_torch(file: Path) -> None:
    code = (
        "import sys, regnety; regnety.Bundle.load(sys.argv[1]); print(*({'onnx', 'torch', 'PIL'} & sys.modules.keys()))"
    )
    result = python(code, file)
    assert (result.stdout, result.stderr) == ("\n", "")


def test_the_graph_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = write_model(tmp_path / "w.safetensors")
    first = Bundle.load(path)
    assert first.stamp is not None
    assert graph_of(first) == graph_of(Bundle.load(path))
    assert Bundle.load(path).with_preprocessing(Preprocessing(image_size=64)).notice == first.notice
    os.utime(path, ns=(1, 1))
    assert Bundle.load(path).stamp == first.stamp
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    assert Bundle.load(path).stamp != first.stamp


def test_it_predicts_and_is_what_create_model_loads(file: Path) -> None:
    prediction = Predictor(file).predict(noise(40, 40))[0]
    assert [entry.label for entry in prediction.predictions] == [None] * 5
    weights = create_model(file).state_dict()
    np.testing.assert_array_equal(weights["s1.b1.se.fc1.bias"], Bundle.load(file).weights["s1.b1.se.fc1.bias"])


def damaged(data: bytes) -> Mapping[str, bytes]:
    return {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "header cut": data[:100],
        "header of a terabyte": struct.pack("<Q", 1 << 40) + data[8:],
        "header of 90 MB": struct.pack("<Q", 90_000_000) + b" " * 1000,
        "zip": b"PK\3\4" + bytes(100),
        "text": b"not a model" * 10,
    }


@pytest.mark.parametrize("kind", damaged(b""))
def test_a_damaged_file_is_one_line(kind: str, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "birds.safetensors"
    path.write_bytes(damaged(file.read_bytes())[kind])
    with pytest.raises(WeightsError) as raised:
        Bundle.load(path)
    expected = {
        "empty": "is empty",
        "zip": "is a damaged zip file",
        "text": "is not a file of weights; it looks like text",
    }
    assert str(raised.value).startswith(f"{path}: {expected.get(kind, 'is not a whole safetensors file: ')}")
    assert "\n" not in str(raised.value)


def test_a_file_of_another_design_shows_it(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "small.safetensors", dict(small_bundle().weights))
    bundle = Bundle.load(tmp_path / "small.safetensors")
    assert bundle.architecture.state_dict_shapes() == small_bundle().architecture.state_dict_shapes()
    assert str(bundle.notice).endswith(" by its shapes; ImageNet's preprocessing, and strides of 2, are assumed")


@pytest.mark.parametrize("name", ["regnety_002", "regnety_002.pycls_in1k"])
def test_a_name_reads_the_file_in_the_cache(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    path = write_model(tmp_path / "weights" / "regnety_002.pycls_in1k.safetensors")
    bundle = Bundle.load(name)
    assert (bundle.name, bundle.path, bundle.notice) == ("regnety_002.pycls_in1k", path, None)
    assert bundle.labels is not None
    assert bundle.labels[258] == "Samoyed"
    assert bundle.provenance == {
        "license": "mit",
        "source": "https://huggingface.co/timm/regnety_002.pycls_in1k",
        "url": "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-regnet/regnety_002-e68ca334.pth",
    }
    assert bundle.stamp is not None
    assert create_model(name, pretrained=True).state_dict().keys() == bundle.weights.keys()


def test_a_tag_has_its_own_preprocessing_and_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    write_model(in_cache("regnety_004.tv2_in1k").cache_path, "regnety_004")
    bundle = Bundle.load("regnety_004.tv2_in1k")
    assert bundle.preprocessing.crop_pct == 0.965
    assert bundle.provenance["license"] == "bsd-3-clause"
    assert bundle.provenance["url"] == in_cache("regnety_004.tv2_in1k").url


def test_a_wrong_file_in_the_cache_says_what_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    write_model(in_cache("regnety_002").cache_path, "regnety_004")
    with pytest.raises(
        WeightsError, match=r"weights/regnety_002.pycls_in1k.safetensors: .*; the file fits regnety_004$"
    ):
        Bundle.load("regnety_002")


def test_predict_answers_from_a_bare_file(file: Path, tmp_path: Path) -> None:
    noise(40, 40).save(tmp_path / "x.png")
    result = regnety("predict", tmp_path / "x.png", "--model", file)
    assert result.returncode == 0, result.stderr


def test_read_checkpoint_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone.safetensors: no such file$"):
        read_checkpoint(tmp_path / "gone.safetensors", describe=describe_model)


def facts(bundle: Bundle) -> dict[str, Any]:
    return bundle.metadata.as_dict()


def test_a_bare_file_can_be_saved_as_a_bundle(file: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(file)
    again = Bundle.load(bundle.save(tmp_path / "bundle"))
    assert facts(again) == facts(bundle)
    assert again.notice is None


def test_the_notice_says_what_was_read_and_whose_it_is(tmp_path: Path) -> None:
    bundle = small_bundle(None, design=REGNETY_002, num_classes=10)
    path = convert_model(bundle, tmp_path / "x.pyth", to="pycls").path
    assert Bundle.load(path).notice == (
        f"{path} has pycls's keys and fits regnety_002 with 10 classes by its shapes; the preprocessing of "
        "regnety_002.pycls_in1k is assumed"
    )
    state = create_model(path).state_dict()
    content = {name: dict(state) for name in ("state_dict", "state_dict_ema", "model")}
    torch.save(content, tmp_path / "last.pth.tar")
    assert Bundle.load(tmp_path / "last.pth.tar").notice == (
        f"{tmp_path}/last.pth.tar fits regnety_002 with 10 classes by its shapes; state dict state_dict_ema is "
        "read, not state_dict, model; the preprocessing of regnety_002.pycls_in1k is assumed"
    )
