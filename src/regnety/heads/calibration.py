"""Calibration: one number by which logits are divided, so that probabilities are right that often."""

import numpy as np
import numpy.typing as npt

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
"""Where every answer is right, or none, the best temperature would be 0 or infinite."""
NEWTON_STEPS = 30

FloatArray = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike, *, smoothing: float = 0.0) -> float:
    """The temperature T > 0 at which the cross-entropy of softmax(logits / T) is least; between 0.05 and 20.

    Args:
        logits: [N, num_classes], of rows that the model was not fitted on.
        labels: [N], whole numbers from 0.
        smoothing: share of a row that counts for all classes alike, not for its own.
    """
    values, own = np.asarray(logits), np.asarray(labels, np.intp)
    if not len(own):
        return 1.0
    values = values - values[np.arange(len(own)), own][:, None]  # the cross-entropy is then log sum exp(values / T)
    shared = smoothing * values.mean(1)  # less this, over T
    # In 1/T the cross-entropy is convex: Newton's steps, kept between bounds that its gradient moves.
    low, high, inverse = 1 / GREATEST_TEMPERATURE, 1 / LEAST_TEMPERATURE, 1.0
    for _ in range(NEWTON_STEPS):
        gradient, curvature = _derivatives(values, shared, inverse)
        low, high = (low, inverse) if gradient > 0 else (inverse, high)
        following = inverse - gradient / curvature if curvature > 0 else np.inf * -gradient
        if not low < following < high:  # also NaN
            following = np.sqrt(low * high)
        if abs(following - inverse) < 1e-6 * inverse:
            break
        inverse = float(following)
    return 1 / inverse


def prudent_smoothing(count: int, num_classes: int) -> float:
    """The smoothing by which `count` rows that are all right are no proof of certainty: Platt's, of support vectors.

    A row's own class has (count + 1) / (count + 2); of three rows 0.8, of a thousand 0.999.
    """
    return num_classes / max(1, num_classes - 1) / (count + 2)


def _derivatives(values: FloatArray, shared: FloatArray, inverse: float) -> tuple[float, float]:
    """First and second derivative by 1/T of the mean cross-entropy."""
    scaled = values * inverse
    probabilities = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    mean = np.einsum("ij,ij->i", probabilities, values)
    square = np.einsum("ij,ij->i", probabilities, values**2)
    return float((mean - shared).mean(dtype=np.float64)), float((square - mean**2).mean(dtype=np.float64))


def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    temperature: float = 1.0,
    row_weights: npt.NDArray[np.floating] | None = None,
) -> float:
    """Mean of -log softmax(logits / temperature) at the labels, in nats."""
    own = np.asarray(labels, np.intp)
    scaled = np.asarray(logits) / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    losses = np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(own)), own]
    return float(np.average(losses, weights=row_weights))
