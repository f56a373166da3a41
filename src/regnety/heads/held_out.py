"""Fits judged by rows that they did not see: folds, and the choice of a regularisation."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from regnety.heads.calibration import cross_entropy, fit_temperature, prudent_smoothing
from regnety.heads.softmax_regression import FloatArray, Indices, Regression

REGULARIZATIONS = tuple(10 ** (-exponent / 2) for exponent in range(-1, 11))
"""The path, strongest first; it ends early where fits get worse."""
USUAL_REGULARIZATION = 0.1  # where there is nothing to choose it on
PATIENCE = 2  # weaker regularisations that are tried after the best one so far
PATH_TOLERANCE = 1e-3  # of the gradient; closer fits choose the same
ABSENT_LOGIT = -20.0
"""Of a class that a fit had no row of. The mean of the other logits is 0, so its probability is below 1e-8."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rows:
    """What is fitted on."""

    features: FloatArray
    """[N, num_features], in the coordinates of the fit."""
    labels: Indices
    """[N], from 0 to num_classes - 1."""
    weights: FloatArray
    """[N], how much each counts."""
    variances: FloatArray
    """[num_features], of the features."""
    num_classes: int


class Fit:
    """A classifier of some rows. It has a logit for every class, also for one without a row among them."""

    def __init__(self, rows: Rows, which: Mask | None = None) -> None:
        which = np.ones(len(rows.labels), bool) if which is None else which
        self._num_classes = rows.num_classes
        self._classes, labels = np.unique(rows.labels[which], return_inverse=True)
        weights = rows.weights[which]
        self._regression = Regression(
            rows.features[which],
            labels,
            rows.variances,
            num_classes=len(self._classes),
            row_weights=(weights / weights.sum(dtype=np.float64)).astype(np.float32),
        )

    def knows(self, labels: Indices) -> Mask:
        """[M]: whether there was a row of each of these classes."""
        return np.isin(labels, self._classes)

    def refine(self, regularization: float, *, tolerance: float = PATH_TOLERANCE) -> "Fit":
        """Fit with another regularisation, from where the last fit ended."""
        self._regression.fit(regularization, tolerance=tolerance)
        return self

    def logits(self, features: FloatArray) -> FloatArray:
        """[M, num_classes] of other rows."""
        logits = np.full((len(features), self._num_classes), ABSENT_LOGIT, np.float32)
        logits[:, self._classes] = self._regression.logits(features)
        return logits

    def classifier(self) -> tuple[FloatArray, FloatArray]:
        """[num_features, num_classes] and [num_classes], in the coordinates of the rows."""
        weight = np.zeros((self._regression.weight.shape[0], self._num_classes), np.float32)
        bias = np.full(self._num_classes, ABSENT_LOGIT, np.float32)
        weight[:, self._classes] = self._regression.weight
        bias[self._classes] = self._regression.bias
        return weight, bias


class HeldOut:
    """Folds, each held out from a fit of the others; they are fitted side by side.

    Args:
        rows: all of them.
        fold_of: [N], the fold of each.
        pool: what fits run in.
    """

    def __init__(self, rows: Rows, fold_of: Indices, pool: Executor) -> None:
        self.fold_of = fold_of
        numbers: list[int] = np.unique(fold_of).tolist()
        self.folds = numbers if len(numbers) > 1 else []
        """Their numbers; none where nothing can be held out, as all rows belong together."""
        self.judged = np.zeros(len(fold_of), bool)
        """[N]: whether the fit without a row had another one of its class."""
        self._rows, self._pool = rows, pool
        self._fits = {fold: Fit(rows, fold_of != fold) for fold in self.folds}
        for fold, fit in self._fits.items():
            held = fold_of == fold
            self.judged[held] = fit.knows(rows.labels[held])

    def fit(self, regularization: float, folds: Sequence[int]) -> FloatArray:
        """Logits [N, num_classes] of the rows in some folds, by the fits without them; 0 for other rows."""
        logits = np.zeros((len(self.fold_of), self._rows.num_classes), np.float32)

        def answer(fold: int) -> None:
            held = self.fold_of == fold
            logits[held] = self._fits[fold].refine(regularization).logits(self._rows.features[held])

        list(self._pool.map(answer, folds))  # the list, as errors come with the results
        return logits


@dataclass(frozen=True, slots=True)
class Choice:
    """A regularisation, and what came with it."""

    regularization: float
    temperature: float
    logits: FloatArray
    """Of the rows that it was judged on."""


class Judge:
    """Chooses a regularisation by labels that a fit did not see.

    Args:
        labels: [M].
        weights: [M], how much each counts.
        judged: [M], which of them count at all.
    """

    def __init__(self, labels: Indices, weights: FloatArray, judged: Mask) -> None:
        self._labels, self._weights, self._judged = labels[judged], weights[judged], judged

    def choose(self, logits_at: Callable[[float], FloatArray]) -> Choice:
        """The regularisation of least cross-entropy at its best temperature, which takes confidence out of the choice.

        The temperature that comes with it is more prudent: few rows that are all right are no proof of certainty.

        Args:
            logits_at: from a regularisation, each weaker than the last, to logits [M, num_classes].
        """
        if not len(self._labels):
            return Choice(USUAL_REGULARIZATION, 1.0, logits_at(USUAL_REGULARIZATION))
        best, least, worse = None, np.inf, 0
        for regularization in REGULARIZATIONS:
            logits = logits_at(regularization)
            judged = logits[self._judged]
            temperature = fit_temperature(judged, self._labels)
            loss = cross_entropy(judged, self._labels, temperature=temperature, row_weights=self._weights)
            if best is None or loss < least:
                best, least, worse = Choice(regularization, temperature, logits), loss, 0
            elif (worse := worse + 1) == PATIENCE:
                break
        assert best is not None
        smoothing = prudent_smoothing(len(self._labels), best.logits.shape[1])
        temperature = fit_temperature(best.logits[self._judged], self._labels, smoothing=smoothing)
        return replace(best, temperature=temperature)
