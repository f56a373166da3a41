"""`fit_head`: scikit-learn's answer, chosen on rows that it was not fitted on, also for awkward classes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from commands import python
from regnety import DataError, fit_head
from regnety.heads.calibration import cross_entropy
from regnety.heads.folds import assign_folds
from regnety.heads.head import Head, softmax
from regnety.heads.softmax_regression import Coordinates

FEATURES = 24


def blobs(counts: list[int], *, seed: int = 0, spread: float = 1.0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Embeddings of so many rows of each class, around centres that lie `spread` apart, with features of all sizes."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = np.random.default_rng(99).standard_normal((len(counts), FEATURES)) * spread
    values = centres[labels] + generator.standard_normal((len(labels), FEATURES))
    return (values * np.geomspace(0.01, 5, FEATURES) + 3).astype(np.float32), labels


VALUES, OWN = blobs([10, 10])


def accuracy(head: Head, values: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    return float((head.logits(values).argmax(1) == labels).mean())


def test_it_is_scikit_learns_minimum() -> None:
    """The same loss on the same features, which is what `LogisticRegression` minimises."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    values, labels = blobs([60, 30, 90], spread=0.5)
    head = fit_head(values, labels)
    coordinates = Coordinates.of(values)
    theirs = linear_model.LogisticRegression(C=1 / head.regularization / len(labels), tol=1e-6, max_iter=2000)
    theirs.fit(coordinates.turned(values), labels)
    wanted = theirs.predict_proba(coordinates.turned(values))
    np.testing.assert_allclose(softmax(head.logits(values)), wanted, atol=2e-3)


def test_two_classes_have_two_rows_of_weights() -> None:
    values, labels = blobs([40, 50])
    head = fit_head(values, labels)
    assert head.weight.shape == (2, FEATURES)
    assert (head.weight.dtype, head.bias.dtype, head.bias.shape) == (np.float32, np.float32, (2,))
    assert accuracy(head, values, labels) > 0.95


def test_every_row_has_probabilities_by_a_fit_without_it() -> None:
    """Noise says nothing of labels: rows that were fitted on would be known by heart, rows held out are not."""
    values = np.random.default_rng(0).standard_normal((120, 60)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 3, 120)
    head = fit_head(values, labels)
    assert head.judged.all()
    assert head.out_of_sample is not None
    np.testing.assert_allclose(head.out_of_sample.sum(1), 1, atol=1e-5)
    assert (head.out_of_sample.argmax(1) == labels).mean() < 0.5
    assert accuracy(head, values, labels) > 0.5


def test_the_regularisation_is_chosen_where_it_was_not_fitted() -> None:
    """Labels that say nothing of the embeddings ask for the strongest; with a validation it is chosen there."""
    values, labels = blobs([300, 300, 300], spread=0.4)
    shuffled = np.random.default_rng(0).permutation(labels)
    fresh = blobs([50, 50, 50], seed=5, spread=0.4)
    assert fit_head(values, labels).regularization < 0.2
    assert fit_head(values, shuffled).regularization >= 1
    assert fit_head(values, labels, validation=(values, shuffled)).regularization >= 1
    assert fit_head(values, labels, validation=fresh).regularization < 0.2


def test_the_temperature_is_the_best_on_the_rows_that_were_held_out() -> None:
    values, labels = blobs([80, 80, 80], spread=0.4)
    head = fit_head(values, labels)
    assert head.out_of_sample_logits is not None
    losses = [
        cross_entropy(head.out_of_sample_logits, labels, temperature=head.temperature * factor)
        for factor in (0.9, 1.0, 1.1)
    ]
    assert losses[1] == min(losses)


def test_rows_of_a_group_are_held_out_together() -> None:
    """Each row has copies: with groups, none of them may tell the fit the label of another."""
    values = np.random.default_rng(0).standard_normal((60, 50)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 2, 60)
    copies, of_copies = np.repeat(values, 5, axis=0), np.repeat(labels, 5)
    groups = np.repeat(np.arange(60), 5).tolist()
    together, apart = fit_head(copies, of_copies, groups=groups), fit_head(copies, of_copies)
    assert together.out_of_sample is not None
    assert apart.out_of_sample is not None
    assert (together.out_of_sample.argmax(1) == of_copies).mean() < 0.7
    assert (apart.out_of_sample.argmax(1) == of_copies).mean() > 0.9


def test_folds_are_even_and_keep_groups() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 7])
    folds = assign_folds(labels, folds=5, seed=3)
    assert [np.bincount(folds[labels == name], minlength=5).tolist() for name in (0, 1)] == [[10] * 5, [6] * 5]
    assert sorted(np.bincount(folds[labels == 2], minlength=5)) == [1, 1, 1, 2, 2]
    # A group may be a row's number: rows without a group are not in it.
    grouped = assign_folds(labels, folds=5, seed=3, groups=[3] * 20 + [None] * 67)
    assert len(set(grouped[:20])) == 1
    assert np.bincount(grouped[:50]).max() == 20


def test_classes_of_fewer_rows_than_folds() -> None:
    """A row whose class no other row has is not judged: without it no fit knows the class."""
    values, labels = blobs([40, 3, 1, 40], spread=2)
    head = fit_head(values, labels)
    assert head.weight.shape == (4, FEATURES)
    np.testing.assert_array_equal(np.flatnonzero(~head.judged), [43])
    assert head.out_of_sample is not None
    assert head.out_of_sample[43, 2] < 1e-6
    assert np.isfinite(head.out_of_sample).all()
    assert accuracy(head, values, labels) > 0.95


def test_only_classes_of_one_row() -> None:
    """There is nothing to choose on, and still a classifier."""
    values, labels = blobs([1] * 6, spread=3)
    head = fit_head(values, labels)
    assert (head.temperature, head.judged.any()) == (1, False)
    assert accuracy(head, values, labels) == 1


def test_one_group_holds_nothing_out() -> None:
    values, labels = blobs([10, 10])
    head = fit_head(values, labels, groups=["one"] * 20)
    assert (head.out_of_sample, head.out_of_sample_logits, head.temperature) == (None, None, 1)


def test_a_class_without_rows_is_never_the_answer() -> None:
    values, labels = blobs([30, 30])
    head = fit_head(values, labels * 2, num_classes=5)
    assert head.weight.shape == (5, FEATURES)
    assert head.probabilities(values)[:, [1, 3, 4]].max() < 1e-6
    assert accuracy(head, values, labels * 2) > 0.9


def test_constant_features_have_no_weight() -> None:
    values, labels = blobs([30, 30])
    values[:, 3], values[:, 4] = 0, 1234.567
    head = fit_head(values, labels)
    assert np.abs(head.weight[:, 3:5]).max() < 1e-6
    assert np.isfinite(head.bias).all()
    assert accuracy(head, values, labels) > 0.9
    only_constants = fit_head(np.ones((30, 4), np.float32), np.repeat([0, 1], [20, 10]))
    assert only_constants.probabilities(np.ones((1, 4)))[0, 0] == pytest.approx(2 / 3, abs=0.02)


def test_balanced_weights_find_a_rare_class() -> None:
    values, labels = blobs([300, 12], spread=0.25)
    fresh, truth = blobs([300, 300], seed=7, spread=0.25)
    found = {
        weights: fit_head(values, labels, class_weights=weights).logits(fresh).argmax(1)
        for weights in (None, "balanced")
    }
    recall = {weights: (answers[truth == 1] == 1).mean() for weights, answers in found.items()}
    assert recall["balanced"] > recall[None] + 0.1
    by_hand = fit_head(values, labels, class_weights=[312 / 600, 312 / 24])
    np.testing.assert_allclose(
        by_hand.logits(fresh), fit_head(values, labels, class_weights="balanced").logits(fresh), atol=1e-3
    )


def test_the_seed_decides_everything() -> None:
    values, labels = blobs([40, 50, 60], spread=0.5)
    one, again, other = (fit_head(values, labels, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weight, again.weight)
    np.testing.assert_array_equal(one.out_of_sample, again.out_of_sample)
    assert not np.array_equal(one.out_of_sample, other.out_of_sample)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"embeddings": VALUES[:, 0]},
            DataError,
            r"embeddings must be numbers \[N, num_features\], got float32 \(20,\)",
        ),
        (
            {"embeddings": np.where(VALUES[3] == VALUES, np.nan, VALUES)},
            DataError,
            r"embeddings\[3\] has values that are",
        ),
        ({"labels": OWN[:5]}, DataError, "need a whole number for each of the 20 rows"),
        ({"labels": OWN.astype(str)}, DataError, "need a whole number for each of the 20 rows"),
        ({"labels": OWN * 0}, DataError, "at least 2 classes, got 1"),
        ({"labels": OWN - 1}, DataError, "have the label -1; labels are from 0 to"),
        ({"num_classes": 1}, DataError, "have the label 1; labels are from 0 to 0"),
        ({"groups": ["a"]}, DataError, "there are 1 groups for 20 embeddings"),
        ({"validation": (VALUES[:, :4], OWN)}, DataError, "validation has 4 features, the embeddings have 24"),
        ({"folds": 1}, ValueError, "folds must be at least 2"),
        ({"class_weights": [1, 0]}, ValueError, "must be 2 numbers above 0"),
        ({"class_weights": "even"}, ValueError, "'balanced' or a number for each class"),
    ],
)
def test_what_cannot_be_fitted(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit_head(**({"embeddings": VALUES, "labels": OWN} | change))


def test_it_imports_neither_torch_nor_scikit_learn() -> None:
    """scikit-learn takes two seconds to import, four times what the fit needs."""
    result = python(
        "import sys, numpy; from regnety import fit_head\n"
        "fit_head(numpy.eye(8), [0, 1] * 4)\n"
        "print({'torch', 'sklearn', 'pandas', 'onnxruntime'} & {*sys.modules})"
    )
    assert result.stdout.strip() == "set()", result.stderr
