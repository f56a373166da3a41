"""Images in, answers out: the same for every source, in order, and nobody else's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bundles import LABELS, SMALL, SMALL_DESIGN, random_weights, small_bundle
from pictures import encoded, noise, smooth
from regnety import (
    Bundle,
    ImageError,
    Prediction,
    Predictor,
    Preprocessing,
    RegNetYError,
    UnknownModelError,
    create_model,
)
from regnety.images.pixels import load_pixels
from regnety.inference.predictor import largest, softmax
from regnety.metadata.model_metadata import ModelMetadata


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(small_bundle())


@pytest.fixture(params=[1, 2, 5], ids=lambda cores: f"{cores} cores")
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("regnety.inference.tuning.available_cores", lambda: request.param)
    return int(request.param)


def ranking(prediction: Prediction) -> list[str | None]:
    return [entry.label for entry in prediction.predictions]


def probabilities(prediction: Prediction) -> np.ndarray:
    """By index of the class."""
    return np.array([entry.prob for entry in sorted(prediction.predictions, key=lambda entry: entry.index)])


def test_every_source_of_a_picture_has_the_same_answer(predictor: Predictor, tmp_path: Path) -> None:
    image, path = noise(60, 50), tmp_path / "a.png"
    image.save(path)
    sources: list[Any] = [path, str(path), encoded(image), image, np.asarray(image)]
    together = predictor.predict(sources)
    assert [answer.filename for answer in together] == [str(path), str(path), None, None, None]
    assert len({answer.predictions for answer in together}) == 1
    for source in sources:
        (alone,) = predictor.predict(source)
        assert alone == predictor.predict([source])[0]
        assert ranking(alone) == ranking(together[0])
        np.testing.assert_allclose(probabilities(alone), probabilities(together[0]), atol=1e-5)


def test_the_answer_is_the_networks() -> None:
    """Torch, on the same pixels, normalised by hand."""
    predictor = Predictor(small_bundle(), pixels="exact")
    pictures = [noise(60, 50), smooth(40, 90), smooth(33, 33)]
    pixels = np.stack([load_pixels(picture, SMALL) for picture in pictures]) / 255
    normalised = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        network = create_model(predictor.bundle).eval()
        wanted = network(torch.from_numpy(normalised).permute(0, 3, 1, 2).float()).numpy()
    assert np.ptp(wanted, 0).max() > 0.1
    for picture, logits, answer in zip(pictures, wanted, predictor.predict(pictures), strict=True):
        np.testing.assert_allclose(probabilities(answer), softmax(logits), atol=1e-4)
        for output in predictor.outputs([picture]):
            assert output.outputs is not None
            np.testing.assert_allclose(output.outputs["logits"], logits, atol=1e-4)


def test_order_is_kept_whatever_the_workers(cores: int) -> None:
    predictor, pictures = Predictor(small_bundle()), [noise(20 + 7 * (n % 9), 30, seed=n) for n in range(50)]
    together = predictor.predict(iter(pictures))
    alone = [predictor.predict(picture)[0] for picture in pictures]
    assert len({answer.predictions for answer in alone}) == 50
    for one, among in zip(alone, together, strict=True):
        np.testing.assert_allclose(probabilities(one), probabilities(among), atol=1e-5)


def test_bad_images_never_take_a_neighbours_answer(cores: int, tmp_path: Path) -> None:
    predictor, pictures, sources = Predictor(small_bundle()), [noise(40, 30, seed=seed) for seed in range(30)], []
    for number, picture in enumerate(pictures):
        sources.append(tmp_path / f"{number}.png")
        sources[-1].write_bytes((encoded(picture), b"", b"text")[number % 3])
    answers = predictor.predict(sources, on_error="record")
    reasons = ("", "is empty", "is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)")
    for number, (source, answer) in enumerate(zip(sources, answers, strict=True)):
        assert answer.filename == str(source)
        assert answer.error == (f"{source}: {reasons[number % 3]}" if number % 3 else None)
        if number % 3:
            assert answer.predictions == ()
        else:
            (alone,) = predictor.predict(pictures[number])
            np.testing.assert_allclose(probabilities(answer), probabilities(alone), atol=1e-5)


@pytest.mark.parametrize("top_k", [1, 3, 4, 10])
def test_top_k(predictor: Predictor, top_k: int) -> None:
    (answer,) = predictor.predict(noise(50, 50), top_k)
    found = [entry.prob for entry in answer.predictions]
    assert len(found) == min(top_k, 4)
    assert found == sorted(found, reverse=True)
    assert all(entry.label == LABELS[entry.index] for entry in answer.predictions)
    assert answer.predictions == predictor.predict(noise(50, 50), 4)[0].predictions[:top_k]
    if top_k >= 4:
        assert sum(found) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("kept", range(5))
def test_classes_below_the_minimum_are_left_out(predictor: Predictor, kept: int) -> None:
    (whole,) = predictor.predict(noise(50, 50))
    minimum = 1.0 if not kept else whole.predictions[kept - 1].prob
    (answer,) = predictor.predict(noise(50, 50), min_probability=minimum)
    assert answer.error is None
    assert answer.predictions == whole.predictions[:kept]
    (answer,) = predictor.stream(noise(50, 50), 2, min_probability=minimum)
    assert answer.predictions == whole.predictions[: min(kept, 2)]


@pytest.mark.parametrize(("name", "num_classes"), [("regnety_tiny", 200), ("regnety_cifar10", 10)])
def test_an_embedded_model_sums_to_one_over_its_classes(name: str, num_classes: int) -> None:
    (answer,) = Predictor(name).predict(smooth(40, 40), top_k=num_classes)
    assert len({entry.label for entry in answer.predictions}) == num_classes
    assert sum(entry.prob for entry in answer.predictions) == pytest.approx(1, abs=1e-9)


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([1e4, 1e4, -1e4], np.float32)), [0.5, 0.5, 0])


def test_a_model_without_names_shows_the_index() -> None:
    (answer,) = Predictor(small_bundle(None, num_classes=3)).predict(noise(40, 40))
    assert sorted(entry.index for entry in answer.predictions) == [0, 1, 2]
    assert ranking(answer) == [None] * 3


def test_an_error_is_raised_at_its_place(predictor: Predictor, cores: int, tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    for sources in ([noise(9, 9), missing, noise(9, 9)], missing, [missing]):
        with pytest.raises(ImageError) as error:
            predictor.predict(sources)
        assert str(error.value) == f"{missing}: no such file"
    assert predictor.predict([]) == []
    assert predictor.predict(noise(9, 9))[0].error is None


def test_an_answer_as_json(predictor: Predictor, tmp_path: Path) -> None:
    (bad,) = predictor.predict(tmp_path / "no", on_error="record")
    assert bad.as_dict() == {"filename": f"{tmp_path}/no", "error": f"{tmp_path}/no: no such file", "predictions": []}
    (good,) = predictor.predict(noise(9, 9), top_k=1)
    (entry,) = good.predictions
    assert good.as_dict() == {
        "filename": None,
        "error": None,
        "predictions": [{"index": entry.index, "label": entry.label, "prob": entry.prob}],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top_k": 0}, "top_k must be a whole number of at least 1, got 0"),
        ({"min_probability": 1.1}, "min_probability must be from 0 to 1, got 1.1"),
        ({"min_probability": float("nan")}, "min_probability must be from 0 to 1, got nan"),
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'record', got 'ignore'"),
    ],
)
def test_arguments_that_are_not_allowed(predictor: Predictor, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        predictor.predict(noise(9, 9), **arguments)


def test_unknown_models() -> None:
    with pytest.raises(UnknownModelError, match="no model named 'regnetz'"):
        Predictor("regnetz")


def test_from_several_threads(predictor: Predictor) -> None:
    """One predictor, eight threads, single pictures and lists mixed, none of it used before."""
    fresh = Predictor(small_bundle())
    pictures = [noise(40, 30, seed=seed) for seed in range(24)]
    expected = [probabilities(predictor.predict(picture)[0]) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        lists = [pool.submit(fresh.predict, pictures[start : start + 3]) for start in range(0, 24, 3)]
        singles = [pool.submit(fresh.predict, picture) for picture in pictures]
        found = [answer for future in (*lists, *singles) for answer in future.result(60)]
    for answer, wanted in zip(found, expected + expected, strict=True):
        np.testing.assert_allclose(probabilities(answer), wanted, atol=1e-5)


def test_orientation_is_applied_unless_told() -> None:
    bundle, exif = small_bundle(), Image.Exif()
    exif[0x0112] = 6
    turned = encoded(smooth(40, 60).transpose(Image.Transpose.ROTATE_90), exif=exif)
    upright = Predictor(bundle).predict(smooth(40, 60))
    assert Predictor(bundle).predict(turned) == upright
    assert Predictor(bundle, exif_orientation=False).predict(turned) != upright


def test_the_limit_of_pixels_can_be_moved() -> None:
    predictor = Predictor(small_bundle(), max_pixels=100)
    with pytest.raises(ImageError, match=r"^images\[0\]: 11x10 pixels are over the limit of 100 \(max_pixels\)$"):
        predictor.predict(encoded(noise(11, 10)))


def test_the_models_own_preprocessing_is_used() -> None:
    """Two pictures that differ only where the model does not look."""
    inner, outer = noise(64, 64), np.asarray(noise(64, 64)).copy()
    outer[:8], outer[-8:], outer[:, :8], outer[:, -8:] = 0, 0, 0, 0
    for crop_pct, same in ((0.5, True), (1.0, False)):
        preprocessing = Preprocessing(image_size=32, crop_pct=crop_pct, mean=(0.1, 0.5, 0.9), std=(1.0, 0.5, 0.1))
        predictor = Predictor(small_bundle(preprocessing=preprocessing))
        first, second = predictor.predict([inner, outer])
        assert (first.predictions == second.predictions) is same


def test_a_generator_of_pictures_is_read_once(predictor: Predictor) -> None:
    def pictures() -> Iterator[Image.Image]:
        for seed in range(3):
            yield noise(20, 20, seed=seed)

    assert len(predictor.predict(pictures())) == 3


def test_stacked_arrays_are_pictures(predictor: Predictor) -> None:
    stacked = np.stack([np.asarray(noise(20, 20, seed=seed)) for seed in range(3)])
    assert predictor.predict(stacked) == predictor.predict(list(stacked))


def test_greyscale_models_are_refused_clearly() -> None:
    """Pictures are RGB; a model of one channel can be made, and has no answer to give."""
    preprocessing = Preprocessing(image_size=32, mean=(0.5,), std=(0.2,))
    metadata = ModelMetadata(design=SMALL_DESIGN, num_classes=4, in_chans=1, preprocessing=preprocessing)
    bundle = Bundle(metadata, random_weights(SMALL_DESIGN.architecture(4, 1)))
    with pytest.raises(RegNetYError, match="channel"):
        Predictor(bundle).predict(noise(40, 40))


@pytest.mark.parametrize("count", [1, 2, 5, 9, 10, 11, 1000])
def test_the_largest_are_those_of_a_stable_sort(count: int) -> None:
    generator = np.random.default_rng(count)
    for values in (generator.random(10), generator.integers(0, 3, 10) / 3, np.full(10, 0.1), generator.random(1)):
        np.testing.assert_array_equal(largest(values, count), np.argsort(-values, kind="stable")[:count])
