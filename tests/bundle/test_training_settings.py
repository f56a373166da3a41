"""What a checkpoint's settings say of the pictures that its network was trained on counts wherever it is used."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pictures import photograph
from regnety import (
    Bundle,
    Embedder,
    Predictor,
    create_model,
    create_transform,
    inspect_model,
    resolve_data_config,
)
from regnety.bundle.training_settings import training_preprocessing
from regnety.export.model_export import export_model
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from wild.network import network, saved, state

HALF = (0.5, 0.5, 0.5)
TRAINED = Preprocessing(image_size=96, crop_pct=1.0, interpolation="bilinear", mean=HALF, std=HALF)
ARGUMENTS = {"img_size": 96, "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0, "interpolation": "bilinear"}


def shown(**settings: Any) -> Preprocessing:
    return training_preprocessing(
        {f"args.{name}": value for name, value in settings.items()}, Preprocessing()
    ).preprocessing


@pytest.fixture(scope="module", params=["Namespace", "dict", "hyper_parameters"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = "hyper_parameters" if request.param == "hyper_parameters" else "args"
    settings = argparse.Namespace(**ARGUMENTS) if request.param == "Namespace" else ARGUMENTS
    return saved({"state_dict": state(), table: settings}, tmp_path_factory.mktemp("args") / "best.pth.tar")


def test_the_settings_are_what_it_is_shown(file: Path) -> None:
    assert Bundle.load(file).preprocessing == TRAINED
    assert Predictor(file).bundle.preprocessing == TRAINED
    assert Embedder(file).origin.preprocessing == TRAINED
    assert create_model(file).preprocessing == TRAINED
    assert resolve_data_config({}, model=str(file)) == {
        "input_size": (3, 96, 96),
        "interpolation": "bilinear",
        "mean": HALF,
        "std": HALF,
        "crop_pct": 1.0,
        "crop_mode": "center",
    }
    assert Bundle.load(file).notice == (
        f"{file} fits depth=5,w0=8,wa=10.9,wm=2,group_width=8 with 10 classes by its shapes; preprocessing is as "
        "its settings say (img_size 96, crop_pct 1.0, interpolation bilinear, mean 0.5,0.5,0.5, std 0.5,0.5,0.5); "
        "strides of 2 are assumed"
    )
    assert "preprocessing" not in inspect_model(file).missing


def test_the_answer_is_that_of_pictures_shown_so(file: Path, tmp_path: Path) -> None:
    picture = photograph(160, 120)
    transform = create_transform(
        (3, 96, 96), interpolation="bilinear", mean=HALF, std=HALF, crop_pct=1.0, is_training=False
    )
    with torch.inference_mode():
        wanted = network()(transform(picture).unsqueeze(0))[0].softmax(0).numpy()
    for model in (file, export_model(file, tmp_path / "trained.onnx").path):
        assert np.abs(answer(Predictor(model, pixels="exact"), picture) - wanted).max() < 1e-4


def answer(predictor: Predictor, picture: Image.Image) -> Any:
    (found,) = predictor.predict(picture, top_k=10)
    return np.array([entry.prob for entry in sorted(found.predictions, key=lambda entry: entry.index)])


def test_the_name_of_a_model_knows_less_than_the_settings_of_its_training(tmp_path: Path) -> None:
    weights = create_model("regnety_004", num_classes=3).state_dict()
    file = saved({"state_dict": weights, "args": {"img_size": 96}}, tmp_path / "last.pth.tar")
    network = create_model("regnety_004.tv2_in1k", checkpoint_path=file, num_classes=3)
    assert (network.preprocessing.image_size, network.preprocessing.crop_pct) == (96, 0.965)
    assert resolve_data_config({}, model=network)["input_size"] == (3, 96, 96)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"img_size": None, "mean": None, "interpolation": "", "crop_pct": None}, Preprocessing()),
        ({"input_size": (3, 64, 64), "img_size": 96}, Preprocessing(image_size=64)),
        ({"img_size": "128", "crop_pct": "0.9"}, Preprocessing(image_size=128, crop_pct=0.9)),
        ({"input_size": "3 64 64"}, Preprocessing(image_size=64)),
        ({"input_size": 64.0}, Preprocessing(image_size=64)),
        ({"mean": "0.5,0.5,0.5", "std": "[0.2, 0.3, 0.4]"}, Preprocessing(mean=HALF, std=(0.2, 0.3, 0.4))),
        ({"mean": [0.5], "std": 0.25}, Preprocessing(mean=HALF, std=(0.25,) * 3)),
        ({"interpolation": "BILINEAR"}, Preprocessing(interpolation="bilinear")),
        ({"val_crop_size": 224, "val_resize_size": 256}, Preprocessing()),
        ({"val_crop_size": 384, "val_resize_size": 384}, Preprocessing(image_size=384, crop_pct=1.0)),
    ],
)
def test_settings_as_programs_write_them(settings: dict[str, Any], wanted: Preprocessing, tmp_path: Path) -> None:
    content = {"state_dict": state(), "args": argparse.Namespace(**settings)}
    assert Bundle.load(saved(content, tmp_path / "best.pth.tar")).preprocessing == wanted


@pytest.mark.parametrize("sizes", [(224, 232), (224, 248), (96, 110), (288, 320)])
def test_torchvisions_two_sizes_are_kept_to_the_pixel(sizes: tuple[int, int]) -> None:
    found = shown(val_crop_size=sizes[0], val_resize_size=sizes[1])
    assert (found.image_size, found.resize_size) == sizes


@pytest.mark.parametrize(
    "settings",
    [
        {"img_size": 0},
        {"img_size": -224},
        {"img_size": 10**15},
        {"img_size": 224.5},
        {"img_size": True},
        {"img_size": "large"},
        {"input_size": (3, 224, 192)},
        {"mean": (0.1, 0.2, 0.3, 0.4)},
        {"mean": (123.7, 116.3, 103.5)},
        {"mean": float("nan")},
        {"std": (0, 0, 0)},
        {"std": (0.5, -0.5, 0.5)},
        {"crop_pct": 0},
        {"crop_pct": 1.5},
        {"interpolation": "random"},
        {"crop_mode": "squash"},
    ],
    ids=str,
)
def test_what_cannot_be_is_named_and_left_as_it_is_assumed(settings: dict[str, Any], tmp_path: Path) -> None:
    bundle = Bundle.load(saved({"state_dict": state(), "args": settings}, tmp_path / "best.pth.tar"))
    ((name, value),) = settings.items()
    assert bundle.preprocessing == Preprocessing()
    assert f"; its settings have args.{name} {value}, which cannot be used; ImageNet's preprocessing" in str(
        bundle.notice
    )


def test_the_published_test_size_is_of_another_training() -> None:
    published = Preprocessing(image_size=224, crop_pct=0.95, test_image_size=288, test_crop_pct=1.0)
    assert training_preprocessing({"args.img_size": 96}, published).preprocessing == Preprocessing(
        image_size=96, crop_pct=0.95
    )
    assert training_preprocessing({"args.img_size": 224}, published).preprocessing == published


def test_the_first_table_that_says_it_counts() -> None:
    facts = {"config.img_size": 64, "args.img_size": 96, "hyper_parameters.mean": [0.5], "progression.std": [0.1]}
    found = training_preprocessing(facts, Preprocessing()).preprocessing
    assert (found.image_size, found.mean, found.std) == (96, HALF, (0.1, 0.1, 0.1))


def test_a_callers_mean_and_std_come_first(tmp_path: Path) -> None:
    """Of a file whose settings say them, and of a graph that has others inside."""
    file, picture = saved({"state_dict": state(), "args": ARGUMENTS}, tmp_path / "best.pth.tar"), photograph(160, 120)
    graph = export_model(file, tmp_path / "trained.onnx").path
    for mean, std in ((0.3, 0.9), (IMAGENET_MEAN, IMAGENET_STD), (0.5, np.array([0.5, 0.4, 0.3]))):
        values = [(number,) * 3 if isinstance(number, float) else tuple(number) for number in (mean, std)]
        transform = create_transform((3, 96, 96), interpolation="bicubic", mean=values[0], std=values[1], crop_pct=1.0)
        with torch.inference_mode():
            wanted = network()(transform(picture).unsqueeze(0))[0].softmax(0).numpy()
        for model in (file, graph):
            predictor = Predictor(model, pixels="exact", mean=mean, std=std, interpolation="bicubic")
            assert np.abs(answer(predictor, picture) - wanted).max() < 1e-4


def test_an_exported_file_has_the_mean_and_std_that_it_was_given(tmp_path: Path) -> None:
    path = saved(state(), tmp_path / "weights.pth")
    exported = export_model(path, tmp_path / "x.onnx", mean=0.5, std=HALF, crop_pct=1.0, interpolation="bilinear")
    assert Bundle.load(exported.path).preprocessing == Preprocessing(
        mean=HALF, std=HALF, crop_pct=1.0, interpolation="bilinear"
    )
