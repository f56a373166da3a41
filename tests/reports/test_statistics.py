"""Figures of a classifier, against scikit-learn's."""

import math

import numpy as np
import pytest
from sklearn import metrics

from regnety.reports.content import ScoredPhotographs
from regnety.reports.probabilities import area_under_roc, operating_point, reliability, risk_coverage, roc_curve
from regnety.reports.shares import Share
from regnety.reports.statistics import Figures


def scored(count: int = 300, classes: int = 7, *, seed: int = 0, digits: int = 2) -> ScoredPhotographs:
    """Random answers with ties, a class without photographs, and one that nothing is taken for."""
    random = np.random.default_rng(seed)
    targets = random.integers(1, classes, count)
    logits = random.normal(size=(count, classes)) + 1.5 * np.eye(classes)[targets]
    logits[:, 2] = -9
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    probabilities = np.round(probabilities, digits).astype(np.float32)
    return ScoredPhotographs(
        split="test",
        names=tuple(f"{number}.jpg" for number in range(count)),
        targets=targets,
        predictions=probabilities.argmax(1),
        probabilities=probabilities,
    )


def test_figures_are_those_of_scikit_learn() -> None:
    answers = scored()
    figures = Figures(answers, 7)
    true, answer = answers.targets, answers.predictions
    assert 0 in figures.seen_classes or 0 not in answer  # class 0 has no photographs
    assert 2 in true
    assert 2 not in answer
    assert figures.top1.percent / 100 == metrics.accuracy_score(true, answer)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(true, answer, zero_division=0)
    assert [each.recall.count for each in figures.per_class] == support.tolist()
    for each, p, r, f in zip(figures.per_class, precision, recall, f1, strict=True):
        assert each.f1 / 100 == pytest.approx(f, abs=1e-15)
        assert (each.precision.percent / 100 if each.precision.count else 0) == pytest.approx(p, abs=1e-15)
        assert (each.recall.percent / 100 if each.recall.count else 0) == pytest.approx(r, abs=1e-15)
    assert figures.macro_f1 / 100 == pytest.approx(metrics.f1_score(true, answer, average="macro"), abs=1e-15)
    balanced = np.mean([r for r, s in zip(recall, support, strict=True) if s])
    assert figures.balanced_accuracy / 100 == pytest.approx(balanced, abs=1e-15)
    np.testing.assert_array_equal(figures.matrix, metrics.confusion_matrix(true, answer))


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    answers = ScoredPhotographs(
        split="test",
        names=tuple("abcdef"),
        targets=np.array([0, 0, 0, 1, 1, 2]),
        predictions=np.array([0, 1, 0, 1, 1, 0]),
    )
    expected = metrics.balanced_accuracy_score(answers.targets, answers.predictions)
    assert Figures(answers, 3).balanced_accuracy / 100 == pytest.approx(expected, abs=1e-15)


def test_roc_is_that_of_scikit_learn_with_ties() -> None:
    answers = scored()
    assert answers.probabilities is not None
    for number in (1, 3, 6):
        positive, scores = answers.targets == number, answers.probabilities[:, number]
        assert len(np.unique(scores)) < len(scores) / 2
        curve = roc_curve(positive, scores)
        assert curve is not None
        x, y, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
        np.testing.assert_allclose(curve.x, x, atol=1e-15)
        np.testing.assert_allclose(curve.y, y, atol=1e-15)
        assert area_under_roc(positive, scores) == pytest.approx(metrics.roc_auc_score(positive, scores), abs=1e-12)


def test_a_class_without_photographs_has_no_roc() -> None:
    scores = np.array([0.1, 0.7], np.float32)
    assert area_under_roc(np.array([False, False]), scores) is None
    assert area_under_roc(np.array([True, True]), scores) is None


def test_loss_and_top5_are_those_of_scikit_learn() -> None:
    answers = scored(digits=6, seed=3)
    assert answers.probabilities is not None
    figures = Figures(answers, 7)
    rows = answers.probabilities.astype(np.float64)
    expected = -np.log(rows[np.arange(len(rows)), answers.targets].clip(np.finfo(np.float64).tiny)).mean()
    assert figures.loss == pytest.approx(expected, rel=1e-12)
    assert figures.top5 == pytest.approx(
        100 * metrics.top_k_accuracy_score(answers.targets, answers.probabilities, k=5, labels=range(7))
    )


def test_of_equal_probabilities_the_first_class_is_among_the_first_five() -> None:
    answers = ScoredPhotographs(
        split="test",
        names=("a", "b"),
        targets=np.array([4, 5]),
        predictions=np.array([0, 0]),
        probabilities=np.full((2, 6), 1 / 6, np.float32),
    )
    assert Figures(answers, 6).top5 == 50


@pytest.mark.parametrize(
    ("hits", "count", "interval"),
    [
        # Wilson (1927); Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81, 263, (25.53, 36.62)),
        (15, 148, (6.24, 16.05)),
        (0, 20, (0.0, 16.11)),
        (1, 29, (0.61, 17.18)),
    ],
)
def test_intervals_are_the_published_ones(hits: int, count: int, interval: tuple[float, float]) -> None:
    assert Share(hits, count).interval == pytest.approx(interval, abs=0.006)
    low, high = Share(count - hits, count).interval
    assert (100 - high, 100 - low) == pytest.approx(interval, abs=0.006)


def test_all_right_reaches_100_and_nothing_says_nothing() -> None:
    assert Share(5, 5).interval[1] == 100.0
    assert Share(0, 0).interval == (0.0, 100.0)
    assert math.isnan(Share(0, 0).percent)


def test_the_most_confused_come_first() -> None:
    answers = ScoredPhotographs(
        split="test",
        names=tuple("abcdef"),
        targets=np.array([0, 1, 1, 2, 2, 2]),
        predictions=np.array([1, 0, 0, 2, 1, 1]),
        confidences=np.array([0.5, 0.9, 0.4, 0.9, 0.8, 0.8], np.float32),
    )
    figures = Figures(answers, 3)
    assert [(pair.target, pair.prediction, pair.count) for pair in figures.confusions] == [
        (1, 0, 2),
        (2, 1, 2),
        (0, 1, 1),
    ]
    assert figures.worst_mistakes.tolist() == [1, 4, 5, 0, 2]


def test_reliability_is_that_of_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve

    random = np.random.default_rng(1)
    confidences = random.uniform(0.2, 1, 500).astype(np.float32)
    right = random.uniform(size=500) < confidences**2
    found = reliability(confidences, right)
    shares, means = calibration_curve(right, confidences, n_bins=10)
    filled = [each for each in found.bins if each.right.count]
    np.testing.assert_allclose([each.right.percent / 100 for each in filled], shares, atol=1e-12)
    np.testing.assert_allclose([each.confidence for each in filled], means, atol=1e-7)
    counts = np.array([each.right.count for each in filled])
    assert found.error == pytest.approx((counts * np.abs(shares - means)).sum() / 500, abs=1e-7)


def test_edges_of_reliability_belong_to_the_bin_below() -> None:
    found = reliability(np.array([0, 0.5, 1, 1], np.float32), np.array([True] * 4), bins=2)
    assert [each.right.count for each in found.bins] == [2, 2]


def test_risk_and_coverage_count_photographs() -> None:
    confidences = np.array([0.9, 0.9, 0.8, 0.4], np.float32)
    curve = risk_coverage(confidences, np.array([True, False, True, False]))
    assert curve.coverage.tolist() == [50, 75, 100]
    assert curve.risk == pytest.approx([50, 100 / 3, 50])
    assert curve.thresholds == pytest.approx([0.9, 0.8, 0.4])
    assert curve.area == pytest.approx((2 * 0.5 + 1 / 3 + 0.5) / 4)


def test_the_probability_to_ask_for_gives_the_photographs_that_were_promised() -> None:
    random = np.random.default_rng(2)
    confidences = random.uniform(0.3, 1, 2000).astype(np.float32)
    right = random.uniform(size=2000) < confidences
    for wanted in (75.0, 90.0, 95.0):
        point = operating_point(confidences, right, wanted)
        assert point is not None
        taken = confidences >= point.min_probability
        assert int(taken.sum()) == point.covered.hits == point.precision.count
        assert int(right[taken].sum()) == point.precision.hits
        assert point.precision.percent >= wanted
        assert len(str(point.min_probability)) <= 7  # as few digits as tell the photographs apart
        # and no lower threshold would do
        for lower in np.unique(confidences[confidences < point.min_probability]):
            assert 100 * right[confidences >= lower].mean() < wanted


def test_a_precision_that_is_never_reached_has_no_threshold() -> None:
    confidences, right = np.array([0.9, 0.9, 0.2], np.float32), np.array([True, False, True])
    assert operating_point(confidences, right, 99.0) is None
    everything = operating_point(confidences, np.array([True] * 3), 99.0)
    assert everything is not None
    assert everything.covered == Share(3, 3)
    assert everything.min_probability <= confidences.min()
