"""Images in, pooled features out: those of the network, from whatever file, and comparable only with each other."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from bundles import SMALL, small_bundle
from numerics import relative_error
from pictures import encoded, noise, photograph, smooth
from regnety import (
    Bundle,
    DataError,
    Embedder,
    ImageError,
    RegNetYError,
    UnknownModelError,
    WeightsError,
    create_model,
    export_model,
)
from regnety.images.formats import READABLE, PixelWay
from regnety.images.pixels import load_pixels
from regnety.inference.similarity.embedder import origin_from_dict

PICTURES = [noise(60, 50), smooth(40, 44), photograph(80, 70)]
NUM_FEATURES = 32


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(small_bundle())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_bundle().save(tmp_path / "model")


def pooled_features(bundle: Bundle, images: list[Image.Image], way: PixelWay = "fast") -> npt.NDArray[np.float32]:
    """As the torch network computes them."""
    shown = bundle.preprocessing
    pixels = np.stack([load_pixels(image, shown, way=way) for image in images])
    normalised = (pixels / 255 - np.array(shown.mean)) / np.array(shown.std)
    network = create_model(bundle).eval()
    with torch.inference_mode():
        maps = network.forward_features(torch.from_numpy(normalised.transpose(0, 3, 1, 2)).float())
        features: npt.NDArray[np.float32] = network.forward_head(maps, pre_logits=True).numpy()
    return features


@pytest.mark.parametrize("way", ["fast", "exact"])
def test_an_embedding_is_what_the_network_pools(way: PixelWay) -> None:
    found = Embedder(small_bundle(), pixels=way).embed(PICTURES)
    assert (found.shape, found.dtype) == ((3, NUM_FEATURES), np.float32)
    assert relative_error(found, pooled_features(small_bundle(), PICTURES, way)) < 1e-5


def test_the_embedded_model_answers_where_none_is_named() -> None:
    embedder = Embedder()
    assert (embedder.bundle.name, embedder.num_features) == ("regnety_tiny", 448)
    assert embedder.engine is None
    assert embedder.embed(PICTURES[0]).shape == (1, 448)
    assert embedder.engine is not None
    assert embedder.engine.precision == "f32"


@pytest.mark.parametrize("num_classes", [0, 4])
def test_a_classifier_is_not_needed(num_classes: int, embedder: Embedder) -> None:
    bundle = small_bundle(labels=None, num_classes=num_classes)
    found = Embedder(bundle).embed(PICTURES)
    assert relative_error(found, pooled_features(bundle, PICTURES)) < 1e-5


@pytest.mark.parametrize("name", ["model.onnx", "both.onnx"])
def test_a_graph_file_gives_the_same(name: str, embedder: Embedder, tmp_path: Path) -> None:
    outputs = ("logits",) if name == "model.onnx" else ("pre_logits", "logits")
    path = export_model(small_bundle(), tmp_path / name, outputs=outputs).path
    assert relative_error(Embedder(path).embed(PICTURES), embedder.embed(PICTURES)) < 1e-5


def test_every_kind_of_source_and_none(embedder: Embedder, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PICTURES[0].save(path)
    sources = [path, str(path), encoded(PICTURES[0]), PICTURES[0], np.asarray(PICTURES[0])]
    together = embedder.embed(sources)
    assert np.ptp(together, axis=0).max() < 1e-6
    assert relative_error(embedder.embed(path), together[:1]) < 1e-6
    assert embedder.embed([]).shape == (0, NUM_FEATURES)


def test_many_images_are_each_their_own(embedder: Embedder) -> None:
    """So many that batches and other engines may be taken."""
    images = [noise(40, 40, seed=seed) for seed in range(100)]
    together = embedder.embed(images)
    assert together.shape == (100, NUM_FEATURES)
    for number in (0, 63, 64, 99):
        assert relative_error(together[number], embedder.embed(images[number])[0]) < 1e-5


def test_what_cannot_be_read_is_recorded_in_its_place_or_raised(embedder: Embedder, tmp_path: Path) -> None:
    PICTURES[0].save(tmp_path / "a.png")
    sources = [str(tmp_path / "a.png"), str(tmp_path / "absent.png"), b"GIF", PICTURES[1]]
    found = list(embedder.stream(sources, on_error="record"))
    assert [embedding.filename for embedding in found] == [*sources[:2], None, None]
    assert [embedding.error for embedding in found] == [
        None,
        f"{tmp_path}/absent.png: no such file",
        f"images[2]: is not an image that can be read ({READABLE})",
        None,
    ]
    assert [embedding.values is None for embedding in found] == [False, True, True, False]
    assert embedder.stacked(found).shape == (2, NUM_FEATURES)
    with pytest.raises(ImageError, match=r"absent\.png: no such file"):
        embedder.embed(sources)
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'record', got 'skip'"):
        embedder.stream([], on_error="skip")  # type: ignore[arg-type]


def test_features_that_are_no_numbers_are_not_given_out() -> None:
    bundle = small_bundle()
    bundle.weights["s2.b1.conv3.bn.bias"][:] = 3e38
    with pytest.raises(WeightsError, match="small: its answers are not finite numbers; its weights are damaged"):
        Embedder(bundle).embed(PICTURES)


def test_a_photograph_has_three_channels() -> None:
    metadata = replace(
        small_bundle().metadata, in_chans=1, preprocessing=SMALL.for_channels(1), provenance={}, labels=None
    )
    weights = {**small_bundle().weights, "stem.conv.weight": np.zeros((32, 1, 3, 3), np.float32)}
    with pytest.raises(WeightsError, match="grey: takes 1 input channels, photographs have 3"):
        Embedder(Bundle(metadata, weights, name="grey"))


def test_the_size_that_is_shown_is_part_of_the_origin(embedder: Embedder) -> None:
    larger = Embedder(small_bundle(), image_size=48, crop_pct=1.0, exif_orientation=False, pixels="exact").origin
    assert (larger.preprocessing.image_size, larger.preprocessing.crop_pct) == (48, 1.0)
    differing = {name for name, value in larger.settings.items() if value != embedder.origin.settings[name]}
    assert differing == {"preprocessing", "exif_orientation", "pixels"}
    assert origin_from_dict({**larger.settings, "model": "small"}) == larger


def test_like_takes_the_model_and_the_pixels_of_the_others(folder: Path) -> None:
    first = Embedder(folder, image_size=48, pixels="exact", exif_orientation=False)
    assert first.origin.model == str(folder)
    again = Embedder.like(first.origin)
    assert again.origin == first.origin
    assert relative_error(again.embed(PICTURES), first.embed(PICTURES)) < 1e-6


def test_a_relative_place_is_found_again_from_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    origin = Embedder("model").origin
    monkeypatch.chdir("/")
    assert Embedder.like(origin).origin == origin


def test_a_model_that_has_moved_is_named_and_another_one_is_refused(folder: Path, tmp_path: Path) -> None:
    origin = Embedder(folder).origin
    moved = shutil.move(folder, tmp_path / "moved")
    with pytest.raises(UnknownModelError, match=rf"^{folder}: does not exist; it made these embeddings, "):
        Embedder.like(origin)
    assert Embedder.like(origin, moved).origin.settings == origin.settings
    other = small_bundle(seed=1, name="other")
    with pytest.raises(DataError, match=rf"^other: is not the model .* which is {folder} \(32 features\) with weights"):
        Embedder.like(origin, other)
    with pytest.raises(DataError, match=r"^regnety_cifar10 \(256 features\): is not the model"):
        Embedder.like(origin, "regnety_cifar10")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "^weights must be a text, got None$"),
        ({"num_features": 0}, "^num_features must be at least 1, got 0$"),
        ({"num_features": "32"}, "^num_features must be a whole number, got '32'$"),
        ({"pixels": "other"}, "^pixels must be one of fast, exact, draft, got 'other'$"),
        ({"model": 3}, "^model must be a text, got 3$"),
        ({"preprocessing": {"size": 3}}, "^preprocessing has no field 'size'"),
    ],
)
def test_an_origin_with_a_wrong_value_is_refused(change: dict[str, object], message: str, embedder: Embedder) -> None:
    with pytest.raises(RegNetYError, match=message):
        origin_from_dict({**embedder.origin.settings, "model": "small", **change})
