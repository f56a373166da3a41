"""Published weights are measured as timm measures them, and stand beside what was published."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bundles import random_weights
from commands import regnety
from pictures import photograph
from regnety import Bundle, DataError, evaluate, model_info
from regnety.bundle.published_accuracy import published_accuracy_of, published_weights_of
from regnety.bundle.training_files import TrainingFiles
from regnety.catalog.class_names import wnids
from regnety.files.safetensors_files import write_safetensors

NAME = "regnety_002.pycls_in1k"
SIZES = ((300, 225), (225, 300), (640, 90), (224, 224), (31, 47), (500, 499))


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return random_weights(model_info(NAME).design.architecture())


@pytest.fixture
def cache(weights: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which the weights of that name are random ones."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    published = model_info(NAME).published
    assert published is not None
    published.cache_path.parent.mkdir(parents=True)
    write_safetensors(published.cache_path, weights)
    return tmp_path


@pytest.fixture(scope="module")
def loop(timm: Any, weights: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """ImageNet's folders, and what timm's transform and network count in them: one by one, with Pillow alone."""
    folder = tmp_path_factory.mktemp("imagenet") / "val"
    network = timm.create_model("regnety_002", pretrained=False).eval()
    network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
    transform = timm.data.create_transform(
        input_size=(3, 224, 224),
        is_training=False,
        interpolation="bicubic",
        mean=timm.data.IMAGENET_DEFAULT_MEAN,
        std=timm.data.IMAGENET_DEFAULT_STD,
        crop_pct=0.875,
    )
    names, losses, ranks = wnids("imagenet-1k"), [], []
    assert names is not None
    for number, size in enumerate(SIZES * 2):
        path = folder / f"{number}.jpg"
        folder.mkdir(exist_ok=True)
        photograph(*size, seed=number).save(path, quality=90)
        with Image.open(path) as image, torch.inference_mode():
            logits = network(transform(image.convert("RGB"))[None])[0]
        # the class: the first answer of some, among the first five of others, further down of the rest
        ranks.append((0, 3, 60)[number % 3])
        target = int(logits.argsort(descending=True)[ranks[-1]])
        losses.append(float(torch.nn.functional.cross_entropy(logits[None], torch.tensor([target]))))
        (folder / names[target]).mkdir(exist_ok=True)
        path.rename(folder / names[target] / path.name)
    counted = {
        "top1": 100 * sum(rank < 1 for rank in ranks) / len(ranks),
        "top5": 100 * sum(rank < 5 for rank in ranks) / len(ranks),
        "loss": float(np.mean(losses)),
    }
    return folder, counted


@pytest.mark.parametrize(("engine", "workers"), [("onnxruntime", 1), ("onnxruntime", 3), ("openvino", 2), ("torch", 2)])
def test_it_is_what_a_loop_with_timms_transform_counts(
    engine: str, workers: int, cache: Path, loop: tuple[Path, dict[str, float]]
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    folder, counted = loop
    found = evaluate(NAME, folder, engine=engine, workers=workers, quiet=True)
    assert (found.count, found.top1, found.top5) == (12, counted["top1"], counted["top5"])
    assert counted["top1"] == pytest.approx(100 / 3)
    assert found.loss == pytest.approx(counted["loss"], rel=1e-4)
    assert found.published is not None
    assert (found.published.weights, found.published.image_size, found.published.crop_pct) == (NAME, 224, 0.875)
    assert (found.published.top1, found.published.top5) == (70.288, 89.544)
    assert found.published.top1_difference == pytest.approx(100 / 3 - 70.288)
    assert found.published.top5_difference == pytest.approx(200 / 3 - 89.544)


def test_a_flat_folder_and_its_list_are_the_same_photographs(
    cache: Path, loop: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, counted = loop
    lines = []
    for path in sorted(folder.rglob("*.jpg")):
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "flat" / path.name).write_bytes(path.read_bytes())
        lines.append(f"{path.name} {(wnids('imagenet-1k') or ()).index(path.parent.name)}")
    (tmp_path / "val.txt").write_text("\n".join(lines))
    found = evaluate(NAME, tmp_path / "flat", labels_file=tmp_path / "val.txt", quiet=True)
    assert (found.count, found.top1, found.top5) == (12, counted["top1"], counted["top5"])
    with pytest.raises(DataError, match="has no split 'train'"):
        evaluate(NAME, tmp_path / "flat", split="train", labels_file=tmp_path / "val.txt")
    with pytest.raises(ValueError, match="split and labels_file belong to a data set on disk"):
        evaluate(NAME, [], split="val")


def test_the_command_prints_published_measured_and_difference(cache: Path, loop: tuple[Path, dict[str, float]]) -> None:
    arguments = ("eval", "--data", loop[0], "--model", "regnety_002")
    result = regnety(*arguments)
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == (
        f"published of {NAME} on ImageNet's 50,000 at 224 pixels and crop 0.875: top1 70.288 %, measured 33.333 %, "
        "difference -36.955; top5 89.544 %, measured 66.667 %, difference -22.877"
    )
    published = json.loads(regnety(*arguments, "--format", "json").stdout)["published"]
    assert published["weights"] == NAME
    assert published["top1_difference"] == pytest.approx(100 / 3 - 70.288)
    other_size = json.loads(regnety(*arguments, "--format", "json", "--image-size", "96").stdout)
    assert other_size["published"] is None


def test_which_weights_have_a_published_accuracy(cache: Path, tmp_path: Path) -> None:
    bundle = Bundle.load("regnety_002")
    bundle.save(tmp_path / "kept")
    kept = Bundle.load(tmp_path / "kept")
    found = published_accuracy_of(kept)
    assert found is not None
    assert (found[0].name, found[1].top1) == (NAME, 70.288)
    for changed in (
        replace(kept.preprocessing, crop_pct=0.9),
        replace(kept.preprocessing, interpolation="bilinear"),
        replace(kept.preprocessing, mean=(0.5, 0.5, 0.5)),
    ):
        assert published_accuracy_of(kept.with_preprocessing(changed)) is None
    kept.training_files = TrainingFiles.of([Path(__file__)], quiet=True)  # as after a training from there
    assert published_weights_of(kept) is None
    assert published_weights_of(Bundle.load("regnety_cifar10")) is None


def test_in_torch_a_new_classifier_leaves_nothing_published(cache: Path, tmp_path: Path) -> None:
    from regnety import create_model

    network = create_model("regnety_002", pretrained=True)
    network.save_pretrained(tmp_path / "same")
    assert published_weights_of(Bundle.load(tmp_path / "same")) is not None
    torch.nn.init.zeros_(network.get_classifier().weight)
    network.save_pretrained(tmp_path / "changed")
    assert published_weights_of(Bundle.load(tmp_path / "changed")) is None
