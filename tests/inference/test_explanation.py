"""Class maps: against Grad-CAM in torch, and against the logits whose parts they are."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import regnety
from bundles import REGNETY_002, SMALL, SMALL_DESIGN, small_bundle
from pictures import encoded, photograph
from regnety import Bundle, DataError, ImageError, WeightsError, class_maps, create_model, explain
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.images.pixels import load_pixels
from regnety.inference.explanation import ClassMap
from regnety.preprocessing import Preprocessing

TWO_STAGES = AnyNetDesign(
    stem_width=8, stages=(StageDesign(width=16, depth=1, group_width=8), StageDesign(width=24, depth=2, group_width=8))
)
"""Whose last feature map is not called s4."""
MODELS = {
    "regnety_cifar10": Bundle.load("regnety_cifar10"),
    "small": small_bundle(design=SMALL_DESIGN),
    "regnety_002": small_bundle(None, num_classes=1000, design=REGNETY_002, preprocessing=Preprocessing(image_size=96)),
    "two stages": small_bundle(design=TWO_STAGES),
}


def grad_cam(bundle: Bundle, pixels: npt.NDArray[np.uint8], index: int) -> npt.NDArray[np.float32]:
    """Selvaraju et al., section 3: at the last feature map, gradients averaged over places weigh the channels."""
    network = create_model(bundle).eval()
    kept: list[torch.Tensor] = []
    last = network.get_submodule(bundle.architecture.stages[-1].name)
    last.register_forward_hook(lambda module, inputs, output: kept.append(output))
    preprocessing = bundle.preprocessing
    values = (torch.tensor(pixels / 255.0) - torch.tensor(preprocessing.mean)) / torch.tensor(preprocessing.std)
    logits = network(values.permute(2, 0, 1)[None].float())
    (gradients,) = torch.autograd.grad(logits[0, index], kept[0])
    cam = (gradients.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].relu()
    return cam.detach().numpy()


@pytest.mark.parametrize("name", MODELS)
def test_the_map_is_grad_cams_up_to_scale_and_relu(name: str) -> None:
    bundle = MODELS[name]
    found = explain(bundle, photograph(140, 120))
    cam = grad_cam(bundle, found.picture, found.index)
    positive = np.maximum(found.values, 0)
    assert found.values.dtype == np.float32
    # gradients of a mean over places are a constant: 1 / (height * width)
    np.testing.assert_allclose(cam * found.values.size, positive, rtol=1e-3, atol=1e-3 * positive.max())
    assert np.corrcoef(cam.ravel(), positive.ravel())[0, 1] > 0.9999


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_the_logit_is_the_mean_of_the_map_and_the_bias(engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    bundle = MODELS["regnety_cifar10"]
    answer = regnety.Predictor(bundle, engine=engine, precision="f32").predict(photograph(140, 120), top_k=10)[0]
    images = [photograph(140, 120)] * 11
    asked = [None, *(entry.index for entry in answer.predictions)]
    first, *maps = class_maps(bundle, images, asked, engine=engine)
    assert isinstance(first, ClassMap)
    assert first.index == answer.predictions[0].index
    for entry, found in zip(answer.predictions, maps, strict=True):
        assert isinstance(found, ClassMap)
        assert found.values.mean() + found.bias == pytest.approx(found.logit, abs=1e-4)
        assert (found.index, found.label) == (entry.index, entry.label)
        assert found.prob == pytest.approx(entry.prob, abs=1e-5)


def test_it_lies_over_the_crop_that_the_model_saw() -> None:
    image = photograph(80, 60)
    found = explain(MODELS["small"], image)
    assert (found.picture == load_pixels(image, SMALL, way="fast")).all()
    larger = explain(MODELS["small"], image, image_size=64, crop_pct=1.0)
    assert larger.picture.shape == (64, 64, 3)
    assert larger.values.shape == tuple(2 * side for side in found.values.shape)
    for each in (found, larger):
        assert each.over_picture.shape == each.picture.shape[:2]
        # bilinear with whole steps keeps the mean, and so the logit
        assert each.over_picture.mean() == pytest.approx(each.values.mean(), abs=1e-5)
    assert (np.asarray(found) == found.values).all()


def test_a_class_by_name_or_number() -> None:
    bundle = MODELS["small"]
    by_name, by_number = explain(bundle, photograph(40, 40), "red"), explain(bundle, photograph(40, 40), 2)
    assert (by_name.index, by_name.label) == (by_number.index, by_number.label) == (2, "red")
    assert (by_name.values == by_number.values).all()
    assert by_name.as_dict()["values"] == by_name.values.tolist()
    with pytest.raises(DataError, match="small has no class named 'pink'"):
        explain(bundle, photograph(40, 40), "pink")
    for number in (-1, 4):
        with pytest.raises(DataError, match=f"small: has no class {number}; its classes are 0 to 3"):
            explain(bundle, photograph(40, 40), number)


def test_many_in_their_order_and_what_cannot_be_read_in_its_place(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(b"no picture" if number == 2 else encoded(photograph(50, 40, seed=number)))
    paths[4].unlink()
    labels = [None, "red", "red", 0, None, "blue"]
    found = list(class_maps(MODELS["small"], paths, labels))
    for number, (path, each) in enumerate(zip(paths, found, strict=True)):
        if number in (2, 4):
            assert isinstance(each, ImageError)
            assert str(each).startswith(f"{path}: ")
            continue
        assert isinstance(each, ClassMap)
        alone = explain(MODELS["small"], path, labels[number])
        assert (each.filename, each.index) == (str(path), alone.index)
        assert (each.picture == alone.picture).all()
        np.testing.assert_allclose(each.values, alone.values, atol=1e-5)
    assert not list(class_maps(MODELS["small"], []))
    with pytest.raises(ValueError, match="there are 1 labels for 6 images"):
        class_maps(MODELS["small"], paths, [0])
    with pytest.raises(ImageError, match="no such file"):
        explain(MODELS["small"], paths[4])


@pytest.mark.parametrize("kind", ["open file", "bytes", "array"])
def test_an_image_in_any_form(kind: str, tmp_path: Path) -> None:
    image = photograph(50, 40)
    (tmp_path / "a.png").write_bytes(encoded(image))
    expected = explain(MODELS["small"], tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file:
        given = {"open file": file, "bytes": encoded(image), "array": np.asarray(image)}[kind]
        found = explain(MODELS["small"], given)  # type: ignore[arg-type]
    assert found.filename is None
    assert (found.values == expected.values).all()


def test_a_model_on_disk_in_any_form(tmp_path: Path) -> None:
    bundle = MODELS["small"]
    bundle.save(tmp_path / "bundle")
    regnety.export_model(bundle, tmp_path / "model.onnx")
    expected = explain(bundle, photograph(40, 40))
    for place in (tmp_path / "bundle", tmp_path / "model.onnx"):
        np.testing.assert_allclose(explain(place, photograph(40, 40)).values, expected.values, atol=1e-4)


def test_models_without_a_map_are_one_line() -> None:
    with pytest.raises(WeightsError, match=r"^small: has no classifier, so there is no answer to explain$"):
        explain(small_bundle(None, num_classes=0), photograph(40, 40))


def test_the_overlay_is_the_picture_where_nothing_speaks_for_the_class() -> None:
    found = explain(MODELS["small"], photograph(40, 40))
    object.__setattr__(found, "values", -np.abs(found.values) - 1)
    grey = np.asarray(Image.fromarray(found.picture).convert("L"), np.float32)[..., None]
    muted = 0.45 * found.picture + 0.55 * grey
    np.testing.assert_allclose(np.asarray(found.overlay(32), np.float32), muted, atol=1)


def test_the_overlay_is_coloured_where_the_evidence_is() -> None:
    found = explain(MODELS["small"], np.full((40, 40, 3), 128, np.uint8))
    values = np.zeros((4, 4), np.float32)
    values[0, 3] = 5
    object.__setattr__(found, "values", values)
    overlay = np.asarray(found.overlay(), np.int32)
    assert overlay.shape == (448, 448, 3)
    colourful = overlay.max(2) - overlay.min(2)
    assert np.unravel_index(colourful.argmax(), colourful.shape) >= (0, 300)
    assert colourful[:110, 340:].mean() > 60
    assert colourful[230:, :].max() <= 1
    assert colourful[:, :200].max() <= 1
    with pytest.raises(ValueError, match="size must be at least 1 pixel, got 0"):
        found.overlay(0)


@pytest.mark.parametrize("label", ["red", 'Crème "brûlée"', "猫", "a name so long that it has no room " * 9, "x\n\x1b"])
def test_a_saved_picture_names_its_class(label: str, tmp_path: Path) -> None:
    bundle = small_bundle((label, "b", "c", "d"))
    found = explain(bundle, photograph(40, 40), 0)
    assert found.save(tmp_path / "why.png") == tmp_path / "why.png"
    with Image.open(tmp_path / "why.png") as image:
        image.load()
        assert image.size == (448, 492)
        assert (np.asarray(image)[:448] == np.asarray(found.overlay())).all()
        assert np.asarray(image)[448:].min() < 100  # there is text
        title = image.text["Title"]  # type: ignore[attr-defined]
        assert title.endswith(f"{100 * found.prob:.1f} %")
        assert title.startswith(label[:20].replace("\n", " ").split(" ")[0].rstrip("\x1b"))
