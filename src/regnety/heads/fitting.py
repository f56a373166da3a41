"""`fit_head`: the linear classifier of embeddings, its regularisation chosen on rows that it was not fitted on."""

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.errors import DataError
from regnety.heads.folds import assign_folds
from regnety.heads.head import FloatArray, Head
from regnety.heads.held_out import Fit, HeldOut, Judge, Rows
from regnety.heads.softmax_regression import Coordinates, Indices, preload
from regnety.inference.engines.processor import available_cores

FINAL_TOLERANCE = 1e-5
LARGE = 3e8  # rows x features x classes above which one fold chooses the regularisation for all: a fit takes seconds

ClassWeights: TypeAlias = Literal["balanced"] | Sequence[float] | npt.NDArray[np.floating]


def fit_head(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    num_classes: int | None = None,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    groups: Sequence[Hashable | None] | None = None,
    class_weights: ClassWeights | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Head:
    """Fit a linear classifier on embeddings: multinomial logistic regression, without PyTorch.

    Each fold is held out once, from a fit of the others: that gives every row probabilities by a fit that did not see
    it. The regularisation is the one whose held-out rows have the least cross-entropy, at its best temperature; the
    classifier is then fitted on all rows.

    Args:
        embeddings: [N, num_features] pooled features, as `Embedder.embed` returns.
        labels: [N], the number of each row's class, from 0.
        num_classes: how many there are; None is the largest label and one. A class without a row is never the answer.
        validation: other embeddings and labels, which choose the regularisation and the temperature in place of folds.
        groups: [N], rows of the same value are held out together, such as photographs of one person; None is a row by
            itself.
        class_weights: `balanced` gives each class the same weight, however many rows it has; or a weight for each.
        folds: how many, at least 2; fewer are made where there are fewer rows or groups.
        seed: of the division into folds. The same seed gives the same classifier.

    Raises:
        DataError: shapes do not fit, a value is not finite, a label is no class, or fewer than two classes have rows.
        MissingExtraError: the extra `finetune` is not installed.
        ValueError: `folds` or `class_weights` is not allowed.
    """
    values, own = _checked("embeddings", embeddings, labels, num_classes)
    num_classes = int(own.max(initial=-1)) + 1 if num_classes is None else num_classes
    if (present := len(np.unique(own))) < 2:
        raise DataError(f"a classifier needs embeddings of at least 2 classes, got {present}")
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds!r}")
    if groups is not None and len(groups) != len(own):
        raise DataError(f"there are {len(groups)} groups for {len(own)} embeddings")
    weights = _weights_of_classes(own, num_classes, class_weights)
    checked = None if validation is None else _checked("validation", *validation, num_classes)
    if checked is not None and checked[0].shape[1] != values.shape[1]:
        raise DataError(f"validation has {checked[0].shape[1]} features, the embeddings have {values.shape[1]}")
    preload()
    with _one_blas_thread(), ThreadPoolExecutor(available_cores()) as pool:
        coordinates = Coordinates.of(values)
        rows = Rows(coordinates.turned(values), own, weights[own], coordinates.variances, num_classes)
        fit = Fit(rows)
        held_out = HeldOut(rows, assign_folds(own, folds=folds, seed=seed, groups=groups), pool)
        if checked is not None:
            turned, their_labels = coordinates.turned(checked[0]), checked[1]
            judge = Judge(their_labels, weights[their_labels], fit.knows(their_labels))
            choice = judge.choose(lambda regularization: fit.refine(regularization).logits(turned))
            logits = held_out.fit(choice.regularization, held_out.folds)
        else:
            few = held_out.folds[: 1 if values.size * num_classes > LARGE else None]
            judge = Judge(own, weights[own], held_out.judged & np.isin(held_out.fold_of, few))
            choice = judge.choose(lambda regularization: held_out.fit(regularization, few))
            # The rows of other folds are 0 in the logits of some.
            logits = choice.logits
            logits += held_out.fit(choice.regularization, held_out.folds[len(few) :])
        fit.refine(choice.regularization, tolerance=FINAL_TOLERANCE)
        weight, bias = coordinates.turned_back(*fit.classifier())
    return Head(
        weight=weight,
        bias=bias,
        regularization=choice.regularization,
        temperature=choice.temperature,
        out_of_sample_logits=logits if len(held_out.folds) else None,
        judged=held_out.judged,
    )


def _checked(
    what: str, embeddings: npt.ArrayLike, labels: npt.ArrayLike, num_classes: int | None
) -> tuple[FloatArray, Indices]:
    """Embeddings [N, num_features] float32 and labels [N].

    Raises:
        DataError: they are not, or do not fit each other.
    """
    values, own = np.asarray(embeddings), np.asarray(labels)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
        raise DataError(f"{what} must be numbers [N, num_features], got {values.dtype} {values.shape}")
    if own.shape != values.shape[:1] or own.dtype.kind not in "iub":
        raise DataError(
            f"{what} need a whole number for each of the {len(values)} rows as its label, got {own.dtype} {own.shape}"
        )
    with np.errstate(over="ignore"):  # what float32 does not hold is not finite, which is refused
        values = values.astype(np.float32, copy=False)
    is_finite = np.isfinite(values).all(1)
    if not is_finite.all():
        raise DataError(f"{what}[{int(is_finite.argmin())}] has values that are not finite")
    if own.min() < 0 or (num_classes is not None and own.max() >= num_classes):
        wrong = own.min() if own.min() < 0 else own.max()
        raise DataError(f"{what} have the label {wrong}; labels are from 0 to {(num_classes or own.max() + 1) - 1}")
    return values, own.astype(np.intp)


def _weights_of_classes(labels: Indices, num_classes: int, class_weights: ClassWeights | None) -> FloatArray:
    """[num_classes], how much a row of each class counts."""
    if class_weights is None:
        return np.ones(num_classes, np.float32)
    if isinstance(class_weights, str):
        if class_weights != "balanced":
            raise ValueError(f"class_weights must be 'balanced' or a number for each class, got {class_weights!r}")
        counts = np.bincount(labels, minlength=num_classes)
        return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)
    weights = np.asarray(class_weights, np.float32)
    if weights.shape != (num_classes,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"class_weights must be {num_classes} numbers above 0, one for each class")
    return weights


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Small matrices take longest where every core works on each of them: ten times as long, measured."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
