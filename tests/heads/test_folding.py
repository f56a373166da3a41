"""`with_head`: a model with a classifier of one's own is an ordinary bundle."""

from dataclasses import replace

import numpy as np
import pytest

from bundles import LABELS, small_bundle
from foreign_models import export_with_torch, foreign_network
from pictures import COLOURS, colour
from quantized_models import CALIBRATION
from regnety import Bundle, Design, Embedder, Predictor, WeightsError, fit_head, with_head
from regnety.graph.builder import write_graph
from regnety.graph.onnx_files import read_onnx
from regnety.heads.head import Head

PICTURES = [colour(label, seed=seed) for label in COLOURS for seed in range(8)]
NAMES = tuple(COLOURS)
OWN = np.repeat(np.arange(len(NAMES)), 8)


@pytest.fixture(scope="module")
def head() -> Head:
    return fit_head(Embedder(small_bundle()).embed(PICTURES), OWN)


def check(bundle: Bundle, head: Head) -> None:
    """It answers as the head does on the embeddings, with the temperature divided in."""
    embeddings = Embedder(bundle).embed(PICTURES)
    answers = Predictor(bundle, precision="f32").predict(PICTURES, len(NAMES))
    found = [{row.label: row.prob for row in answer.predictions} for answer in answers]
    wanted = head.probabilities(embeddings)
    for row, probabilities in zip(found, wanted, strict=True):
        assert row == pytest.approx(dict(zip(NAMES, probabilities.tolist(), strict=True)), abs=1e-3)


def test_it_is_an_ordinary_bundle(tmp_path, head: Head) -> None:
    made = with_head(small_bundle(), head, NAMES, provenance={"data": "colours"})
    check(made, head)
    assert made.labels == NAMES
    assert made.provenance == {
        "data": "colours",
        "temperature": pytest.approx(head.temperature, abs=1e-6),
        "regularization": head.regularization,
    }
    made.save(tmp_path / "bundle")
    check(Bundle.load(tmp_path / "bundle"), head)
    assert small_bundle().labels == LABELS


def test_a_model_without_a_classifier_gets_one(head: Head) -> None:
    check(with_head(small_bundle(None, num_classes=0), head, NAMES), head)


@pytest.mark.parametrize("kind", ["onnx", "checkpoint"])
def test_from_any_file_with_float_weights(tmp_path, head: Head, kind: str) -> None:
    small = small_bundle()
    if kind == "onnx":
        path = tmp_path / "a model.onnx"
        write_graph(path, small.architecture, small.weights, preprocessing=small.preprocessing, labels=LABELS)
    else:
        small.save(tmp_path / "saved")
        path = (tmp_path / "saved" / "model.safetensors").rename(tmp_path / "alone.safetensors")
    bundle = Bundle.load(path).with_preprocessing(small.preprocessing)
    head = fit_head(Embedder(bundle).embed(PICTURES), OWN)
    check(with_head(bundle, head, NAMES), head)


def test_a_foreign_onnx_file(tmp_path) -> None:
    network = foreign_network(num_classes=7)
    bundle = Bundle.load(export_with_torch(network, tmp_path / "foreign.onnx"))
    head = fit_head(Embedder(bundle).embed(PICTURES), OWN)
    check(with_head(bundle, head, NAMES), head)


def test_an_int8_model_is_refused(tmp_path, head: Head) -> None:
    small = small_bundle()
    write_graph(tmp_path / "graph.onnx", small.architecture, small.weights)
    metadata = replace(small.metadata, calibration=CALIBRATION)
    bundle = Bundle(metadata, {}, name="int8", graph=read_onnx(tmp_path / "graph.onnx"))
    with pytest.raises(WeightsError, match="is quantized to int8, so its classifier cannot be replaced"):
        with_head(bundle, head, NAMES)


def test_what_does_not_fit(head: Head) -> None:
    other = small_bundle(design=Design(depth=2, w0=24, wa=16, wm=2, group_width=8))
    with pytest.raises(WeightsError, match="features, the classifier was fitted on 32"):
        with_head(other, head, NAMES)
    with pytest.raises(WeightsError, match="small: there is 1 label for 3 classes"):
        with_head(small_bundle(), head, ["one"])
