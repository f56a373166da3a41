"""What a classifier's probabilities are worth: ROC curves, reliability, and how many answers can be left to it."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.reports.content import Floats, Integers
from regnety.reports.shares import Share

Booleans = npt.NDArray[np.bool_]


def at_temperature(probabilities: Floats, temperature: float) -> Floats:
    """What a model answers with its logits divided by a temperature, from what it answers without.

    A logit is the logarithm of its probability, but for a number that all of a photograph share.

    Args:
        probabilities: [N, C].
        temperature: above 0; its reciprocal takes a division back.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def cross_entropy(probabilities: Floats, targets: Integers) -> float:
    """Mean of -log of each photograph's probability of its class.

    Args:
        probabilities: [N, C].
        targets: [N].
    """
    # a probability may underflow to 0, whose logarithm would make the mean infinite
    right = np.maximum(of_class(probabilities, targets).astype(np.float64), np.finfo(np.float64).tiny)
    return float(-np.log(right).mean()) + 0.0  # no -0.0 where all are certain


@dataclass(frozen=True, slots=True)
class RocCurve:
    """False positive rate (x) and true positive rate (y), both from 0 to 1, one point for each distinct score."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]


def roc_curve(positive: Booleans, scores: Floats) -> RocCurve | None:
    """The ROC curve of scores; None where all photographs are positive, or none is.

    Args:
        positive: [N].
        scores: [N].
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ends = _ends_of_equal(scores[order])  # equal scores are passed together
    hits = np.cumsum(positive[order])[ends]
    return RocCurve(
        np.concatenate([[0.0], (ends + 1 - hits) / negatives]),
        np.concatenate([[0.0], hits / positives]),
    )


def area_under_roc(positive: Booleans, scores: Floats) -> float | None:
    """The share of pairs of a positive and a negative in which the positive has the higher score; ties count half."""
    ordered, others = np.sort(scores[positive]), scores[~positive]
    if not len(ordered) or not len(others):
        return None
    # of each negative: positives below it, and those that are not above it
    below, not_above = (np.searchsorted(ordered, others, side=side) for side in ("left", "right"))
    won_twice = 2 * len(ordered) * len(others) - int(below.sum()) - int(not_above.sum())
    return won_twice / (2 * len(ordered) * len(others))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers whose probability is within an interval: how often they were right."""

    low: float
    high: float
    right: Share
    confidence: float
    """Their mean probability; NaN of none."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Whether answers of some probability are right as often."""

    bins: tuple[ReliabilityBin, ...]
    error: float
    """Expected calibration error from 0 to 1: the mean distance between probability and share, by photographs."""


def reliability(confidences: Floats, right: Booleans, *, bins: int = 10) -> Reliability:
    """Bins of equal width over the probabilities of the first answers.

    Args:
        confidences: [N].
        right: [N].
        bins: their number; a probability that is a bin's end belongs to the bin below, 0 to the first.
    """
    edges = np.linspace(0, 1, bins + 1)
    numbers = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    counts = np.bincount(numbers, minlength=bins)
    hits = np.bincount(numbers, weights=right, minlength=bins)
    sums = np.bincount(numbers, weights=confidences.astype(np.float64), minlength=bins)
    return Reliability(
        tuple(
            ReliabilityBin(
                float(edges[at]),
                float(edges[at + 1]),
                Share(int(hits[at]), int(counts[at])),
                float(sums[at] / counts[at]) if counts[at] else math.nan,
            )
            for at in range(bins)
        ),
        float(np.abs(hits - sums).sum() / len(confidences)),
    )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What is left to the model if only answers of at least some probability are taken.

    Args:
        wanted: precision that was asked for, in percent.
        min_probability: to ask for, with as few digits as give exactly these photographs.
        covered: of all photographs, those whose answers are taken.
        precision: of these, those that are right.
    """

    wanted: float
    min_probability: float
    covered: Share
    precision: Share


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What share of the answers is wrong (risk) if only the surest are taken (coverage), both in percent.

    Args:
        coverage: [K] ascending, one for each distinct probability.
        risk: [K].
        thresholds: [K] descending, the least probability that is taken.
        area: under the curve, from 0 to 1: the mean risk over all coverages.
    """

    coverage: npt.NDArray[np.float64]
    risk: npt.NDArray[np.float64]
    thresholds: Floats
    area: float


def risk_coverage(confidences: Floats, right: Booleans) -> RiskCoverage:
    """The curve over all thresholds on the probability of the first answer.

    Args:
        confidences: [N].
        right: [N].
    """
    order = np.argsort(-confidences, kind="stable")
    ends = _ends_of_equal(confidences[order])
    taken = ends + 1
    risk = 1 - np.cumsum(right[order])[ends] / taken
    widths = np.diff(taken, prepend=0)
    area = float((risk * widths).sum() / len(right))
    return RiskCoverage(100 * taken / len(right), 100 * risk, confidences[order][ends], area)


def operating_point(confidences: Floats, right: Booleans, wanted: float) -> OperatingPoint | None:
    """The threshold that leaves most to the model, of those at which its answers are right often enough.

    Args:
        confidences: [N].
        right: [N].
        wanted: precision in percent.

    Returns:
        None where no threshold reaches it.
    """
    order = np.argsort(-confidences, kind="stable")
    descending = confidences[order]
    ends = _ends_of_equal(descending)
    hits, taken = np.cumsum(right[order])[ends], ends + 1
    enough = np.flatnonzero(100 * hits >= wanted * taken)
    if not len(enough):
        return None
    at = int(enough[-1])
    next_lower = float(descending[taken[at]]) if taken[at] < len(right) else 0.0
    return OperatingPoint(
        wanted,
        _shortest_above(next_lower, float(descending[ends[at]])),
        Share(int(taken[at]), len(right)),
        Share(int(hits[at]), int(taken[at])),
    )


def _shortest_above(low: float, high: float) -> float:
    """The number over `low`, and not over `high`, that has the fewest decimal digits."""
    for digits in range(1, 17):
        scale = 10.0**digits
        floor = math.floor(high * scale) / scale
        if low < floor <= high:
            return floor
    return high


def _ends_of_equal(ordered: Floats) -> Integers:
    """The last place of each run of equal values."""
    return np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)


def of_class(probabilities: Floats, classes: Integers) -> Floats:
    """[N], each row's probability of one class."""
    chosen: Floats = probabilities[np.arange(len(probabilities)), classes]
    return chosen
