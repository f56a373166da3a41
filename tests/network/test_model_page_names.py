"""The twelve names of the model page, from files of the page's names and sizes, as `torch.save` wrote them then."""

import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

import goldens
from bundles import SMALL_DESIGN, random_weights
from old_torch_files import write_of_size, write_old_torch
from regnety.bundle.data_config import resolve_data_config
from regnety.catalog.models import model_info
from regnety.files.arrays import Array
from regnety.network.creation import _warn_of_timms_other_weights, create_model
from regnety.weights.fetching import published

PAGE = goldens.models("model_page.json")
WIDTHS = {name: [32, *figures["stage_widths"]] for name, figures in goldens.models("paper_models.json").items()}
STRIDES = [2, 4, 8, 16, 32]
LARGE = [name for name in PAGE if PAGE[name]["Metadata"]["File Size"] > 40e6]
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in PAGE]
BIAS = np.arange(1000, dtype=np.float32)


def zeros(name: str) -> dict[str, Array]:
    """Weights that take no memory, and no space on a disk that knows holes."""
    shapes = model_info(name).design.architecture().state_dict_shapes()
    kinds = {key: np.float32 if shape else np.int64 for key, shape in shapes.items()}
    return {key: np.broadcast_to(kind(0), shapes[key]) for key, kind in kinds.items()}


@pytest.fixture
def file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's file of a model, put where its weights are looked for: zeros, but for the bias of the classifier.

    It has the page's size but cannot have the hash, so that is not checked.
    """
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    monkeypatch.setattr(published, "check_placed", lambda *_: None)
    path = tmp_path / "weights" / PAGE[name]["Weights"].rpartition("/")[2]
    path.parent.mkdir()
    write_of_size(path, {**zeros(name), "head.fc.bias": BIAS}, PAGE[name]["Metadata"]["File Size"])
    return path


def test_the_files_are_those_of_torch(tmp_path: Path) -> None:
    weights = random_weights(SMALL_DESIGN.architecture(4))
    tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()}
    theirs = tmp_path / "theirs.pth"
    torch.save(OrderedDict(tensors), theirs, _use_new_zipfile_serialization=False)
    ours = tmp_path / "ours.pth"
    write_old_torch(ours, weights, [str(tensor.untyped_storage()._cdata) for tensor in tensors.values()])
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", PAGE)
def test_a_file_has_the_size_that_the_page_says(name: str, tmp_path: Path) -> None:
    """With names of 14 digits, as addresses have them; that of regnety_032 was written elsewhere, and is shorter."""
    weights = zeros(name)
    write_old_torch(tmp_path / "model.pth", weights, [f"9{number:013}" for number in range(len(weights))])
    longer = (tmp_path / "model.pth").stat().st_size - PAGE[name]["Metadata"]["File Size"]
    assert longer == (294 if name == "regnety_032" else 0)


TIMMS = {
    "regnety_004": "tv2_in1k",
    "regnety_016": "tv2_in1k",
    "regnety_040": "ra3_in1k",
    "regnety_064": "ra3_in1k",
    "regnety_080": "ra3_in1k",
    "regnety_120": "sw_in12k_ft_in1k",
    "regnety_160": "sw_in12k_ft_in1k",
    "regnety_320": "tv2_in1k",
}
"""What timm's plain name means today, where it is another than the page's."""


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_page_has_the_weights_of_its_file(
    name: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert file.stat().st_size == PAGE[name]["Metadata"]["File Size"]
    _warn_of_timms_other_weights.cache_clear()
    model = create_model(name, pretrained=True).eval()
    images = torch.zeros(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model(images), torch.from_numpy(BIAS)[None])
    means = f"{name} has the weights of the model page, {name}.pycls_in1k; in timm the plain name has {name}"
    assert caplog.messages == ([f"{means}.{TIMMS[name]}"] if name in TIMMS else [])
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="regnety"):
        finetuned = create_model(name, pretrained=True, num_classes=10)
    assert finetuned.get_classifier().weight.shape == (10, WIDTHS[name][-1])
    assert finetuned.labels is None
    (record,) = caplog.records  # what timm means was said once
    assert f"the classifier head.fc is (10, {WIDTHS[name][-1]}) and stays random" in record.getMessage()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_page_gives_features(name: str, file: Path) -> None:
    """As the page's link on feature extraction shows them: unpooled, pooled, and maps of several strides."""
    images, width = torch.zeros(2, 3, 64, 64), WIDTHS[name][-1]
    with torch.inference_mode():
        unpooled = create_model(name, pretrained=True, num_classes=0, global_pool="").eval()
        assert unpooled(images).shape == unpooled.forward_features(images).shape == (2, width, 2, 2)
        pooled = create_model(name, pretrained=True, num_classes=0).eval()
        assert pooled(images).shape == (2, width)
        pooled.reset_classifier(0, "")
        assert pooled(images).shape == (2, width, 2, 2)
        maps = create_model(name, pretrained=True, features_only=True).eval()
        assert maps.feature_info.channels() == WIDTHS[name]
        assert maps.feature_info.reduction() == STRIDES
        shapes = [
            (2, channels, 64 // stride, 64 // stride) for channels, stride in zip(WIDTHS[name], STRIDES, strict=True)
        ]
        assert [found.shape for found in maps(images)] == shapes
        some = create_model(name, pretrained=True, features_only=True, out_indices=(2, 4), output_stride=8).eval()
        assert [found.shape for found in some(images)] == [(2, WIDTHS[name][2], 8, 8), (2, width, 8, 8)]


@pytest.mark.parametrize("name", PAGE)
def test_a_name_of_the_page_comes_from_the_pages_address(name: str) -> None:
    """timm's repository has another owner since, who is named for regnety_032; GitHub leads from one to the other."""
    published = model_info(name).published
    assert published is not None
    owner = "huggingface" if name == "regnety_032" else "rwightman"
    assert published.url == PAGE[name]["Weights"].replace("rwightman", owner)


@pytest.mark.parametrize("name", PAGE)
def test_a_name_of_the_page_is_shown_what_the_page_says(name: str) -> None:
    """But for regnety_032, whose weights were trained by another recipe than the page's, with a crop of its own."""
    metadata = PAGE[name]["Metadata"]
    with torch.device("meta"):
        config = resolve_data_config({}, model=create_model(name))
    side = int(metadata["Image Size"])
    assert config["input_size"] == (3, side, side)
    assert config["interpolation"] == metadata["Interpolation"]
    assert config["crop_pct"] == (0.95 if name == "regnety_032" else float(metadata["Crop Pct"]))
