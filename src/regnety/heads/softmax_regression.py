"""Multinomial logistic regression: scikit-learn's problem and minimum, as a path over regularisations.

Its L-BFGS is used, SciPy's. scikit-learn itself would take two seconds to import, which is more than all the fits of a
thousand photographs. The path starts at the strongest regularisation, and each fit starts where the last one ended.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.extras import import_extra

FloatArray = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

# A power of each feature's standard deviation. 1 makes features of hardly any variation as loud as the others, 0 lets a
# few drown the rest. Half-way was the most accurate on photographs of hands, by 1 to 3 % over 1, and as good on others.
SCALING_POWER = 0.5
# Share of the mean variance that each direction's is mixed with before all are made equally wide. What tells classes
# apart is seldom what varies most, and an even penalty on the features would learn it last. On photographs of waste, of
# hands and of 20 things it is 1 % more accurate in the mean; 0.2 to 0.4 are as good.
LEAST_SHRINKAGE = 0.3
CONSTANT = 1e-6  # of a feature's size: float32 rounds a constant to about a tenth of it
MOST_ROTATED = 4096  # features; eigenvectors of more take minutes
TILE_VALUES = 1 << 20  # logits at a time: 4 MiB, however many rows there are
MAX_ITERATIONS = 200
HISTORY = 10
"""Steps that L-BFGS remembers."""


def preload() -> None:
    """Import what a fit needs, half a second: in a thread, while photographs are read.

    Raises:
        MissingExtraError: the extra `finetune` is not installed.
    """
    for module in ("scipy.optimize", "threadpoolctl"):
        import_extra(module, feature="fitting a classifier", extra="finetune")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """How features are shifted, scaled and turned for a fit: to directions that vary independently and about equally.

    The regularisation is even in these coordinates, and the optimiser knows the scale of each. Labels are not asked.
    """

    mean: FloatArray
    basis: FloatArray
    """[num_features, num_features]: scaling, rotation and scaling; [num_features] where there is no rotation."""
    variances: FloatArray
    """[num_features], of the new coordinates."""

    @classmethod
    def of(cls, embeddings: FloatArray) -> "Coordinates":
        """Those that suit embeddings [N, num_features]."""
        mean = embeddings.mean(0, dtype=np.float64)
        deviation = embeddings.std(0, dtype=np.float64)
        varies = deviation > CONSTANT * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
        scale = np.zeros(len(mean))
        scale[varies] = deviation[varies] ** -SCALING_POWER
        basis: npt.NDArray[np.float64] = scale
        variances: npt.NDArray[np.float64] = (deviation * scale) ** 2
        if len(mean) <= MOST_ROTATED:
            scaled = (embeddings - mean.astype(np.float32)) * scale.astype(np.float32)
            variances, rotation = np.linalg.eigh(scaled.T @ scaled / np.float32(len(scaled)))
            variances = np.maximum(variances, 0)
            # Of few rows, most directions show no variation at all, or too much by chance.
            shrinkage = max(LEAST_SHRINKAGE, len(mean) / (len(mean) + len(embeddings)))
            widths = np.sqrt((1 - shrinkage) * variances + shrinkage * (variances.mean() or 1.0))
            basis, variances = scale[:, None] * rotation / widths, variances / widths**2
        # The mean variance becomes 1, so that a regularisation means the same for every model.
        size = variances.mean() or 1.0
        return cls(
            mean.astype(np.float32), (basis / np.sqrt(size)).astype(np.float32), (variances / size).astype(np.float32)
        )

    def turned(self, embeddings: FloatArray) -> FloatArray:
        """Embeddings in these coordinates."""
        centred: FloatArray = embeddings - self.mean
        return centred @ self.basis if self.basis.ndim == 2 else centred * self.basis

    def turned_back(self, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A classifier [num_features, C] of these coordinates as weight [C, num_features] and bias of embeddings."""
        weight = self.basis @ weight if self.basis.ndim == 2 else self.basis[:, None] * weight
        return np.ascontiguousarray(weight.T), bias - self.mean @ weight


class Regression:
    """Fits of one set of rows, each starting where the last one ended.

    Args:
        features: [N, num_features], in `Coordinates`.
        labels: [N], from 0 to `num_classes` - 1, each class at least once.
        variances: of the features.
        num_classes: columns of the logits.
        row_weights: [N], whose sum is 1.
    """

    def __init__(
        self,
        features: FloatArray,
        labels: Indices,
        variances: FloatArray,
        *,
        num_classes: int,
        row_weights: FloatArray,
    ) -> None:
        self._features, self._labels, self._row_weights = features, labels, row_weights
        self._variances = variances
        self.weight = np.zeros((features.shape[1], num_classes), np.float32)
        """[num_features, C] of the last fit."""
        self.bias = np.zeros(num_classes, np.float32)
        """[C] of the last fit; its mean is 0, and so is that of each row of `weight`."""

    def fit(self, regularization: float, *, tolerance: float) -> None:
        """Minimise the mean cross-entropy plus half the regularisation times the sum of squared weights.

        Args:
            regularization: scikit-learn's 1 / (C * number of rows).
            tolerance: largest entry of the gradient, of about unit scale, at which the fit ends.
        """
        from scipy.optimize import minimize

        num_classes = len(self.bias)
        # The Hessian is about p (1 - p) times a direction's variance, plus the regularisation: in steps of its inverse
        # square root every direction is about as steep as any other.
        curvature = 1 / num_classes
        steps = (1 / np.sqrt(curvature * self._variances + regularization)).astype(np.float32)[:, None]
        bias_step = np.float32(1 / np.sqrt(curvature))

        def loss(point: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            scaled = point.reshape(-1, num_classes).astype(np.float32)
            weight, bias = steps * scaled[:-1], bias_step * scaled[-1]
            value, by_weight, by_bias = self._cross_entropy(weight, bias)
            value += regularization / 2 * float(np.square(weight, dtype=np.float64).sum())
            gradient = np.empty((len(weight) + 1, num_classes))
            gradient[:-1] = steps * (by_weight + np.float32(regularization) * weight)
            gradient[-1] = bias_step * by_bias
            return value, gradient.ravel()

        start = np.concatenate([self.weight / steps, self.bias[None] / bias_step]).astype(np.float64)
        options = {"maxiter": MAX_ITERATIONS, "maxcor": HISTORY, "gtol": tolerance, "ftol": 1e-12}
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
        found = found.reshape(-1, num_classes).astype(np.float32)
        self.weight, self.bias = steps * found[:-1], bias_step * found[-1]

    def logits(self, features: FloatArray) -> FloatArray:
        """[M, C] of other rows, by the last fit."""
        return features @ self.weight + self.bias

    def _cross_entropy(self, weight: FloatArray, bias: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """The weighted mean, and its gradients by weight and bias; a tile of rows at a time."""
        value, by_weight, by_bias = 0.0, np.zeros_like(weight), np.zeros_like(bias)
        tile = max(64, TILE_VALUES // len(bias))
        for start in range(0, len(self._labels), tile):
            rows = slice(start, start + tile)
            features, labels, row_weights = self._features[rows], self._labels[rows], self._row_weights[rows]
            numbers = np.arange(len(labels))
            logits = features @ weight + bias
            logits -= logits.max(1, keepdims=True)
            own = logits[numbers, labels]
            exponentials = np.exp(logits, out=logits)
            sums = exponentials.sum(1)
            value += float(row_weights @ (np.log(sums) - own))
            exponentials *= (row_weights / sums)[:, None]
            exponentials[numbers, labels] -= row_weights
            by_weight += features.T @ exponentials
            by_bias += exponentials.sum(0)
        return value, by_weight, by_bias
