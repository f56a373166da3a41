"""Labels that look wrong: in cleanlab's order, as many as it estimates, and those that were exchanged first."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from test_fit_head import blobs

from regnety import DataError, fit_head
from regnety.heads.label_issues import LabelIssue, rank_label_issues


def noisy(count: int = 400, num_classes: int = 5, seed: int = 0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Labels and probabilities that are right most of the time; classes of all sizes."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(num_classes, count, p=np.arange(1, num_classes + 1) / np.arange(1, num_classes + 1).sum())
    logits = generator.standard_normal((count, num_classes)) * 2
    logits[np.arange(count), labels] += 2.5
    exponentials = np.exp(logits)
    return labels, exponentials / exponentials.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_and_the_count_are_cleanlabs(seed: int) -> None:
    pytest.importorskip("cleanlab", reason="needs cleanlab: make test-all installs it")
    from cleanlab.count import num_label_issues
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    labels, probabilities = noisy(seed=seed)
    ranked = find_label_issues(
        labels, probabilities, filter_by="predicted_neq_given", return_indices_ranked_by="self_confidence"
    )
    issues = rank_label_issues(labels, probabilities, count=len(labels))
    assert [issue.row for issue in issues] == ranked.tolist()
    scores = get_self_confidence_for_each_label(labels, probabilities)
    np.testing.assert_allclose([issue.self_confidence for issue in issues], scores[ranked])
    estimated = num_label_issues(labels, probabilities, estimation_method="off_diagonal")
    assert len(rank_label_issues(labels, probabilities)) == estimated


def test_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.1, 0.9], [0.4, 0.6], [0.7, 0.3]])
    # The mean self-confidence is 0.583 for class 0 and 0.6 for class 1: rows 2 and 5 are surer of the other class.
    assert rank_label_issues(labels, probabilities) == [
        LabelIssue(row=2, label=0, suggestion=1, self_confidence=0.05, prob=0.95),
        LabelIssue(row=5, label=1, suggestion=0, self_confidence=0.3, prob=0.7),
    ]
    assert [issue.row for issue in rank_label_issues(labels, probabilities, count=1)] == [2]
    judged = labels == 1
    assert [issue.row for issue in rank_label_issues(labels, probabilities, judged=judged)] == [5]


def test_exchanged_labels_come_first() -> None:
    values, labels = blobs([100, 100, 100], spread=1.5)
    exchanged = np.random.default_rng(0).choice(300, 15, replace=False)
    wrong = labels.copy()
    wrong[exchanged] = (labels[exchanged] + 1) % 3
    head = fit_head(values, wrong)
    assert head.out_of_sample is not None
    issues = rank_label_issues(wrong, head.out_of_sample, judged=head.judged)
    assert len({issue.row for issue in issues[:15]} & {*exchanged.tolist()}) >= 13
    assert {issue.row: issue.suggestion for issue in issues[:5]} == {
        issue.row: labels[issue.row] for issue in issues[:5]
    }


def test_nothing_to_find() -> None:
    labels = np.array([0, 1, 0, 1])
    assert rank_label_issues(labels, np.eye(2)[labels]) == []
    assert rank_label_issues([], np.zeros((0, 3))) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 1], r"do not fit: \(2,\) and \(3, 2\)"), ([0, 1, 2], "must be from 0 to 1, got 0 to 2")],
)
def test_what_does_not_fit(labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rank_label_issues(labels, np.full((3, 2), 0.5))
