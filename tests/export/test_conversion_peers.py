"""What `convert_model` writes, loaded by the programs that it is for: the same logits as our network's.

Logits are compared in float64 and on one thread of torch, within 1e-10 of the largest (`both_ways.TOLERANCE`): the sums
are the same, only their order differs. ONNX Runtime computes in float32 and is allowed 1e-5.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import regnety
from both_ways import assert_same_logits, state_of, stored
from bundles import LABELS, small_bundle
from goldens import forward_weights
from numerics import relative_error
from pictures import photograph
from pycls_network import PyclsNet
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import model_info
from regnety.export.conversion import convert_model
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing

OWN = Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4)
ANYNET = AnyNetDesign(
    stages=(
        StageDesign(width=24, depth=2, group_width=8, bottleneck_multiplier=1 / 2),
        StageDesign(width=40, depth=1, group_width=20, stride=1),
    ),
    stem_width=16,
)
MODELS = ("regnety_002", "regnety_004", "regnety_006", "regnety_008", "regnety_008_tv", "regnetx_002", "regnetx_004")
OURS = {
    "regnet_y_400mf": "regnety_004",
    "regnet_y_800mf": "regnety_008_tv",
    "regnet_y_1_6gf": "regnety_016",
    "regnet_x_400mf": "regnetx_004_tv",
    "regnet_x_800mf": "regnetx_008",
    "regnet_x_1_6gf": "regnetx_016",
}
"""torchvision's names to ours."""
FLOAT32_BOUND = 1e-5
"""Of the largest logit."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def bundle_of(design: str | AnyDesign, **options: Any) -> Bundle:
    return small_bundle(design=model_info(design).design if isinstance(design, str) else design, **options)


def assert_answers(bundle: Bundle, peer: torch.nn.Module, **options: Any) -> None:
    assert_same_logits(bundle.architecture, bundle.weights, peer, **options)


@pytest.mark.parametrize("design", [*MODELS, "regnetx_004_tv", OWN], ids=lambda design: str(design)[:16])
def test_timm_loads_a_folder(design: str | AnyDesign, timm: Any, tmp_path: Path) -> None:
    bundle = bundle_of(design)
    folder = convert_model(bundle, tmp_path / "there", to="timm").path
    named = json.loads((folder / "config.json").read_text("utf-8"))["architecture"]
    assert named == (design if isinstance(design, str) else "regnety_002"), "the name is true where there is one"
    assert timm.is_model(named)
    peer = timm.create_model(f"local-dir:{folder}", pretrained=True)
    assert list(peer.state_dict()) == list(bundle.weights)
    assert_answers(bundle, peer)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("name", MODELS)
def test_timm_loads_a_file(name: str, suffix: str, timm: Any, tmp_path: Path) -> None:
    bundle = bundle_of(name)
    path = convert_model(bundle, tmp_path / f"there.{suffix}", to="timm").path
    peer = timm.create_model(name, num_classes=len(LABELS))
    timm.models.load_checkpoint(peer, str(path), strict=True, weights_only=True)
    assert_answers(bundle, peer)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("name", OURS)
def test_torchvision_loads_a_file(name: str, suffix: str, torchvision: Any, tmp_path: Path) -> None:
    bundle = bundle_of(OURS[name])
    path = convert_model(bundle, tmp_path / f"there.{suffix}", to="torchvision").path
    peer = torchvision.models.get_model(name, num_classes=len(LABELS))
    peer.load_state_dict(load_file(path) if suffix == "safetensors" else torch.load(path), strict=True)
    assert_answers(bundle, peer)


@pytest.mark.parametrize("design", [*MODELS, OWN, ANYNET], ids=lambda design: str(design)[:16])
def test_pycls_loads_a_file(design: str | AnyDesign, tmp_path: Path) -> None:
    bundle = bundle_of(design)
    content = torch.load(convert_model(bundle, tmp_path / "there.pyth", to="pycls").path)
    assert content.keys() == {"epoch", "model_state"}
    peer = PyclsNet(bundle.metadata.design, len(LABELS))
    peer.load_state_dict(content["model_state"], strict=True)
    assert_answers(bundle, peer, bgr_input=True)


@pytest.mark.parametrize("design", [*MODELS, OWN], ids=lambda design: str(design)[:16])
def test_timm_loads_a_file_of_vissl(design: str | AnyDesign, timm: Any, tmp_path: Path) -> None:
    """VISSL itself cannot be installed beside a torch of today; timm has its reader."""
    bundle = bundle_of(design)
    content = torch.load(convert_model(bundle, tmp_path / "there.torch", to="vissl").path)
    state = timm.models.regnet._filter_fn(content)
    folder = convert_model(bundle, tmp_path / "network", to="timm").path
    peer = timm.create_model(f"local-dir:{folder}", pretrained=False)
    peer.load_state_dict(state, strict=True)
    assert_answers(bundle, peer)


@pytest.mark.parametrize("design", [*MODELS, "regnetx_008", OWN], ids=lambda design: str(design)[:16])
def test_transformers_loads_a_folder(design: str | AnyDesign, transformers: Any, tmp_path: Path) -> None:
    bundle = bundle_of(design)
    folder = convert_model(bundle, tmp_path / "there", to="transformers").path
    peer, report = transformers.RegNetForImageClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    assert peer.config.id2label == dict(enumerate(LABELS))
    assert_answers(bundle, peer, logits=lambda outputs: outputs.logits)


def test_transformers_loads_a_folder_without_a_classifier(transformers: Any, tmp_path: Path) -> None:
    bundle = bundle_of(OWN, labels=None, num_classes=0)
    folder = convert_model(bundle, tmp_path / "there", to="transformers").path
    peer, report = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert (type(peer).__name__, any(report.values())) == ("RegNetModel", False)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    network = RegNet(bundle.architecture)
    network.load_state_dict(state_of(stored(bundle.weights)))
    with torch.inference_mode():
        ours, theirs = network.double().eval()(images), peer.double().eval()(images).pooler_output.flatten(1)
    assert relative_error(theirs, ours) <= 1e-10


def processors(transformers: Any, folder: Path) -> dict[str, Any]:
    return {
        backend: transformers.AutoImageProcessor.from_pretrained(folder, backend=backend)
        for backend in ("pil", "torchvision")
    }


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (300, 300), (641, 481), (640, 427), (231, 480)])
def test_transformers_shows_the_model_our_pixels(
    size: tuple[int, int], interpolation: str, transformers: Any, tmp_path: Path
) -> None:
    """Its Pillow processor is ours to the rounding of float32. Its torchvision one resizes otherwise: at most two grey
    levels, in the mean less than a hundredth.

    Where an odd number of pixels is left over by the crop they put the smaller half first, we and timm the even one: in
    two of these pictures all is moved by a pixel.
    """
    shown = Preprocessing(interpolation=interpolation, mean=(0.5, 0.4, 0.3), std=(0.25, 0.5, 0.125))
    bundle = bundle_of(OWN, preprocessing=shown)
    folder = convert_model(bundle, tmp_path / "there", to="transformers").path
    image = photograph(*size)
    ours = regnety.create_transform(**regnety.resolve_data_config(model=bundle))(image)
    sides = shown.resized_size(*size)
    corners = shown.crop_corner(*sides)
    moved = [int(corner != (side - 224) // 2) for corner, side in zip(corners, sides, strict=True)]
    assert sum(moved) == (size in ((640, 427), (231, 480)))
    ours = ours[:, : 224 - moved[1], : 224 - moved[0]]
    for backend, processor in processors(transformers, folder).items():
        theirs = processor(image, return_tensors="pt")["pixel_values"][0][:, moved[1] :, moved[0] :]
        levels = (theirs - ours).abs() * torch.tensor(shown.std)[:, None, None] * 255
        largest, mean = (1e-3, 1e-4) if backend == "pil" else (2 + 1e-3, 1e-2)
        assert (levels.max() <= largest, levels.mean() <= mean) == (True, True), (backend, levels.max(), levels.mean())


@pytest.mark.parametrize("design", [*MODELS, OWN, ANYNET], ids=lambda design: str(design)[:16])
def test_onnx_runtime_runs_a_graph(design: str | AnyDesign, tmp_path: Path) -> None:
    """The weights of the forward goldens, whose activations keep their size from the first block to the last."""
    shown = Preprocessing(image_size=64, crop_pct=1.0)
    bundle = bundle_of(design, preprocessing=shown, labels=None, num_classes=1000)
    weights = forward_weights(bundle.architecture.state_dict_shapes())
    bundle = Bundle(bundle.metadata, {key: value.astype(np.float32) for key, value in weights.items()})
    path = convert_model(bundle, tmp_path / "there.onnx", to="onnx").path
    pixels = np.array(photograph(64, 64))[None]
    found = OnnxRuntimeEngine(path, threads=1).run(pixels)["logits"]
    network = RegNet(bundle.architecture)
    network.load_state_dict(state_of(stored(bundle.weights)))
    images = ((pixels / 255 - shown.mean) / shown.std).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        wanted = network.double().eval()(torch.from_numpy(images)).numpy()
    assert relative_error(found, wanted) < FLOAT32_BOUND
