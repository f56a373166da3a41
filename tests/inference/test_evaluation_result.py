"""What is known of each photograph after an evaluation, against the same computed by hand from torch's logits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import regnety
from bundles import SMALL, small_bundle
from pictures import write_colours
from regnety import create_model, evaluate
from regnety.datasets.folders import read_class_folders
from regnety.datasets.samples import Sample
from regnety.images.pixels import load_pixels
from regnety.inference.evaluation_result import EvaluationResult

CLASSES = ("white", "red", "green", "blue", "grey", "black", "pink")
"""In another order than the folders'."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, ...]:
    """Twelve pictures; the second and the last cannot be read."""
    folder = write_colours(tmp_path_factory.mktemp("data"), count=4)
    found = read_class_folders(folder)
    for number in (1, 11):
        Path(found[number].name).write_bytes(b"no picture")
    return found


@pytest.fixture(scope="module")
def result(samples: tuple[Sample, ...]) -> EvaluationResult:
    return evaluate(small_bundle(CLASSES), samples, probabilities=True, quiet=True)


@pytest.fixture(scope="module")
def by_hand(samples: tuple[Sample, ...]) -> torch.Tensor:
    """Torch's probabilities of the ten that can be read."""
    read = [sample for number, sample in enumerate(samples) if number not in (1, 11)]
    pixels = np.stack([load_pixels(sample.image, SMALL) for sample in read]) / 255
    normalised = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        network = create_model(small_bundle(CLASSES)).eval()
        return network(torch.from_numpy(normalised).permute(0, 3, 1, 2).float()).softmax(1)


def test_the_answer_to_each_is_torchs(
    result: EvaluationResult, samples: tuple[Sample, ...], by_hand: torch.Tensor
) -> None:
    read = [sample for number, sample in enumerate(samples) if number not in (1, 11)]
    assert result.filenames == tuple(sample.name for sample in read)
    assert result.targets.tolist() == [CLASSES.index(sample.label) for sample in read]
    assert result.predictions.tolist() == by_hand.argmax(1).tolist()
    assert result.probabilities is not None
    assert result.probabilities.dtype == np.float32
    np.testing.assert_allclose(result.probabilities, by_hand.numpy(), atol=1e-5)
    np.testing.assert_allclose(result.prob, by_hand.max(1).values.numpy(), atol=1e-5)
    assert (result.classes, result.engine, result.precision) == (CLASSES, "onnxruntime", "f32")
    assert result.preprocessing == SMALL


def test_confusion_is_every_answer_counted_once(result: EvaluationResult) -> None:
    expected = np.zeros((7, 7), np.int64)
    for target, answer in zip(result.targets, result.predictions, strict=True):
        expected[target, answer] += 1
    assert (result.confusion == expected).all()
    assert result.confusion.trace() == round(result.top1 * result.count / 100)


def test_every_photograph_is_a_row_in_the_order_of_the_data(
    result: EvaluationResult, samples: tuple[Sample, ...]
) -> None:
    rows = list(result.images())
    assert [row.filename for row in rows] == [sample.name for sample in samples]
    assert [row.true_label for row in rows] == [sample.label for sample in samples]
    for number, row in enumerate(rows):
        if number in (1, 11):
            assert str(row.error).startswith(f"{samples[number].name}: is not an image that can be read (")
            assert (row.label, row.prob, row.correct) == (None, None, None)
        else:
            assert (row.error, row.correct) == (None, row.label == row.true_label)
    assert [row.prob for row in rows if row.error is None] == result.prob.tolist()
    assert result.errors == tuple(row.error for row in rows if row.error)


def test_two_of_the_same_are_equal_and_the_answers_count(result: EvaluationResult, samples: tuple[Sample, ...]) -> None:
    again = evaluate(small_bundle(CLASSES), samples, probabilities=True, workers=1, quiet=True)
    assert again == result
    assert replace(again, probabilities=None) != result
    assert replace(again, predictions=again.predictions[::-1] + 1) != result
    assert again != "small"
    assert "predictions" not in repr(again)


def test_without_being_asked_no_probabilities_are_kept(samples: tuple[Sample, ...]) -> None:
    assert evaluate(small_bundle(CLASSES), samples, quiet=True).probabilities is None


def test_its_former_name_is_understood() -> None:
    assert regnety.Evaluation is EvaluationResult


@pytest.mark.parametrize("engine", ["openvino", "torch"])
@pytest.mark.parametrize("workers", [1, 3])
def test_neither_engine_nor_workers_change_what_is_counted(
    engine: str, workers: int, result: EvaluationResult, samples: tuple[Sample, ...]
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    other = evaluate(small_bundle(CLASSES), samples, engine=engine, workers=workers, probabilities=True, quiet=True)
    assert (other.top1, other.top5, other.per_class) == (result.top1, result.top5, result.per_class)
    assert other.predictions.tolist() == result.predictions.tolist()
    assert other.loss == pytest.approx(result.loss, rel=1e-5)
    assert other.engine == engine
