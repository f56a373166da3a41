"""Labels that look wrong, by probabilities of a model that was not fitted on the rows it judges.

How many there are is estimated as in confident learning (Northcutt et al., 2021): a row counts where the model is as
sure of another class as it is, on average, of the rows that have that class as their label. Which they are is decided
by self-confidence, the probability of a row's own label; on photographs with exchanged labels that found more of them
than confident learning's own choice of rows. The order is cleanlab's.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.errors import DataError

ROUNDING = 1e-6  # of a probability that is compared with the mean of equal ones


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A row whose label looks wrong."""

    row: int
    """Its number."""
    label: int
    """The class that it has."""
    suggestion: int
    """The most probable class."""
    self_confidence: float
    """Probability of `label`, from 0 to 1."""
    prob: float
    """Probability of `suggestion`, from 0 to 1."""


def rank_label_issues(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    judged: npt.ArrayLike | None = None,
    count: int | None = None,
) -> list[LabelIssue]:
    """The rows whose label looks wrong, the least self-confident first; the most probable class of each is another one.

    Args:
        labels: [N], whole numbers from 0.
        probabilities: [N, num_classes], of each row by a fit without it: `Head.out_of_sample`.
        judged: [N], which rows may be in the list (`Head.judged`); None is all of them.
        count: how many rows the list has at most; None is the estimated number of wrong labels.

    Raises:
        DataError: the shapes do not fit, or a label has no column.
    """
    own, values = np.asarray(labels), np.asarray(probabilities)
    if values.ndim != 2 or own.shape != values.shape[:1]:
        raise DataError(f"labels [N] and probabilities [N, num_classes] do not fit: {own.shape} and {values.shape}")
    if not len(own):
        return []
    if own.min() < 0 or own.max() >= values.shape[1]:
        raise DataError(f"labels must be from 0 to {values.shape[1] - 1}, got {own.min()} to {own.max()}")
    allowed = np.ones(len(own), bool) if judged is None else np.asarray(judged, bool)
    suggestions = values.argmax(1)
    self_confidence = values[np.arange(len(own)), own]
    rows = np.flatnonzero(allowed & (suggestions != own))
    rows = rows[np.argsort(self_confidence[rows], kind="stable")]
    if count is None:
        count = int((_confidently_other(own, values) & allowed).sum())
    return [
        LabelIssue(
            row=row,
            label=int(own[row]),
            suggestion=int(suggestions[row]),
            self_confidence=float(self_confidence[row]),
            prob=float(values[row, suggestions[row]]),
        )
        for row in rows[:count].tolist()
    ]


def _confidently_other(labels: npt.NDArray[np.integer], values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """[N]: whether a row is off the diagonal of the confident joint, and its most probable class is not its label."""
    rows, num_classes = np.arange(len(labels)), values.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.bincount(labels, weights=values[rows, labels], minlength=num_classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)  # nothing is known of a class without rows
    sure = values >= thresholds - ROUNDING
    most_probable = values.argmax(1)
    taken_for = np.where(sure.sum(1) > 1, most_probable, sure.argmax(1))
    is_other: npt.NDArray[np.bool_] = sure.any(1) & (taken_for != labels) & (most_probable != labels)
    return is_other
