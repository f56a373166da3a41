"""The start of all layers: a classifier of what the network makes of the photographs while it is trained.

The classifier of the whole model was fitted at the size that suits it, on features with the running statistics of batch
norm. Training uses those of each batch, often at a smaller size, on augmented photographs. On such features that
classifier is far off: hands began at a loss of 8 in place of 1.3, and in half a minute came nowhere near where they
started.
"""

import math

import numpy as np

from regnety.heads.fitting import fit_head
from regnety.training.session import Session

MOST_FITTED = 4000
"""Photographs that the classifier is fitted on."""
FIT_S = 0.5
"""About what the fit takes."""
FORWARD_SHARE = 0.4
"""Time of a batch's features, as a share of a training step."""


def fit_start(session: Session, *, num_photographs: int) -> None:
    """Fit a session's classifier anew, and adapt batch norm to the photographs.

    The same session gets the same classifier, to the bit, on as many threads.
    """
    features, labels = session.features(_batches(session, num_photographs))
    if len(np.unique(labels)) < 2:  # nothing to tell apart in so few
        return
    head = fit_head(
        features,
        labels,
        num_classes=session.model.num_classes,
        class_weights="balanced" if session.recipe.class_weights == "balanced" else None,
        seed=session.recipe.seed,
    )
    # Not sharpened by its temperature: training begins with a larger loss from answers that are too sure.
    session.start_with(head.weight, head.bias)


def start_s(session: Session, *, num_photographs: int, step_s: float) -> float:
    """Seconds that `fit_start` will take, about."""
    return FIT_S + FORWARD_SHARE * step_s * _batches(session, num_photographs)


def _batches(session: Session, num_photographs: int) -> int:
    return math.ceil(min(num_photographs, MOST_FITTED) / session.recipe.batch_size)
