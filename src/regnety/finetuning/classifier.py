"""The classifier alone: a linear one on the embeddings of the photographs, and both as one model."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.finetuning.photographs import FOLDS, Photographs
from regnety.finetuning.run_folder import ClassWeights
from regnety.heads.fitting import fit_head
from regnety.heads.folding import with_head
from regnety.heads.head import Head
from regnety.inference.options import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """A linear classifier on the embeddings of a model."""

    head: Head
    base: Bundle
    """The model, with what it is shown."""
    classes: tuple[str, ...]
    """In the order of the outputs."""
    labels: npt.NDArray[np.int64]
    """[N], the classes of the photographs that it was fitted on."""

    @property
    def out_of_sample(self) -> npt.NDArray[np.float32]:
        """[N, C], probabilities for each photograph by the fit of a fold without it."""
        found = self.head.out_of_sample
        assert found is not None  # folds are always made
        return found

    def bundle(self, provenance: Mapping[str, Any]) -> Bundle:
        """Both as one model: the base with the head in place of its own."""
        return with_head(self.base, self.head, labels=self.classes, provenance=provenance)


def as_shown(base: Bundle, options: RunOptions) -> Bundle:
    """The model with the size and the rest that the options say, upright as everything that is trained here."""
    preprocessing = options.preprocessing(base.preprocessing)
    return base.with_preprocessing(replace(preprocessing, exif_orientation=options.is_turned_upright))


def fit_classifier(
    base: Bundle,
    photographs: Photographs,
    *,
    by_val: bool,
    class_weights: ClassWeights | None,
    groups: Sequence[Hashable] | None,
    seed: int,
) -> Classifier:
    """Fit a linear classifier on the embeddings of train.

    Args:
        base: the model that gave the embeddings, with what it was shown.
        photographs: with their embeddings.
        by_val: choose the regularisation on val; else by folds of train.
        class_weights: `balanced` counts every class the same, however many photographs it has.
        groups: one for each photograph of train; those of one group are held out together.
        seed: of the folds.
    """
    splits, embeddings = photographs.splits, photographs.embeddings
    labels = class_numbers(splits.train, splits.classes)
    head = fit_head(
        embeddings["train"],
        labels,
        num_classes=len(splits.classes),
        validation=(embeddings["val"], class_numbers(splits.val, splits.classes)) if by_val else None,
        groups=groups,
        class_weights=class_weights,
        folds=FOLDS,
        seed=seed,
    )
    return Classifier(head=head, base=base, classes=splits.classes, labels=labels)


def class_numbers(samples: Sequence[Sample], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """[N], the class of each."""
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[sample.label] for sample in samples], np.int64)
