"""`Head`: a linear classifier on embeddings, and what was learnt about it while it was fitted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.errors import DataError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A linear classifier: logits = embeddings @ weight.T + bias."""

    weight: FloatArray
    """[num_classes, num_features] float32."""
    bias: FloatArray
    """[num_classes] float32."""
    regularization: float
    """Of the weights, relative to the mean cross-entropy, for features whose mean variance is 1."""
    temperature: float
    """What logits are divided by, so that probabilities are calibrated; 1 where too few rows were held out."""
    out_of_sample_logits: FloatArray | None
    """[N, num_classes] float32, of each row by a fit without it, before the temperature; None where none was made."""
    judged: npt.NDArray[np.bool_]
    """[N]: whether the fit without a row had its class at all. What it says of another row is no evidence against its
    label."""

    @property
    def num_classes(self) -> int:
        """Rows of `weight`."""
        return len(self.bias)

    @property
    def num_features(self) -> int:
        """Columns of `weight`: values of an embedding."""
        return int(self.weight.shape[1])

    @property
    def out_of_sample(self) -> FloatArray | None:
        """Calibrated probabilities [N, num_classes] of each row, by a fit without it; None where none was made."""
        logits = self.out_of_sample_logits
        return None if logits is None else softmax(logits / np.float32(self.temperature))

    def logits(self, embeddings: npt.ArrayLike) -> FloatArray:
        """Logits [N, num_classes] of embeddings [N, num_features], before the temperature.

        Raises:
            DataError: the embeddings are not such an array.
        """
        values = np.asarray(embeddings, np.float32)
        if values.ndim != 2 or values.shape[1] != self.num_features:
            raise DataError(f"embeddings must be [N, {self.num_features}] as the classifier's, got {values.shape}")
        return values @ self.weight.T + self.bias

    def probabilities(self, embeddings: npt.ArrayLike) -> FloatArray:
        """Calibrated probabilities [N, num_classes] of embeddings [N, num_features]; errors as for `logits`."""
        return softmax(self.logits(embeddings) / np.float32(self.temperature))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities [N, C] of logits [N, C]."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    probabilities: FloatArray = exponentials / exponentials.sum(1, keepdims=True)
    return probabilities
