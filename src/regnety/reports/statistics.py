"""Figures of a classifier on labelled photographs, exact: shares in percent, probabilities from 0 to 1."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from regnety.reports.content import Integers, ScoredPhotographs
from regnety.reports.probabilities import area_under_roc, cross_entropy, of_class
from regnety.reports.shares import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class against all others.

    Args:
        number: of the class.
        recall: of its photographs, those that were taken for it.
        precision: of the photographs that were taken for it, those that are of it.
        f1: harmonic mean of both, in percent; 0 where nothing was right.
        auc: area under the ROC curve by the class's probability; None without probabilities, or without photographs
            of the class or of others.
    """

    number: int
    recall: Share
    precision: Share
    f1: float
    auc: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Photographs of one class that were taken for another."""

    target: int
    prediction: int
    count: int


class Figures:
    """All figures of scored photographs; each is computed when it is first asked for.

    Args:
        scored: the photographs and the model's answers.
        num_classes: of the model.
    """

    def __init__(self, scored: ScoredPhotographs, num_classes: int) -> None:
        self.scored = scored
        self.num_classes = num_classes

    @cached_property
    def top1(self) -> Share:
        """Photographs whose class is the first answer."""
        return Share(int(self.scored.right.sum()), len(self.scored))

    @cached_property
    def top5(self) -> float | None:
        """Photographs whose class is among the first five answers, in percent; None if there are no more than five."""
        if self.scored.top5 is not None or self.scored.probabilities is None or self.num_classes <= 5:
            return self.scored.top5
        of_target = of_class(self.scored.probabilities, self.scored.targets)[:, None]
        higher = self.scored.probabilities > of_target
        # of equal probabilities the first class counts as the answer, as in `predict`
        before = np.arange(self.num_classes) < self.scored.targets[:, None]
        ranks = (higher | (before & (self.scored.probabilities == of_target))).sum(1)
        return 100 * float((ranks < 5).mean())

    @cached_property
    def loss(self) -> float | None:
        """Mean cross-entropy."""
        if self.scored.loss is not None or self.scored.probabilities is None:
            return self.scored.loss
        return cross_entropy(self.scored.probabilities, self.scored.targets)

    @cached_property
    def seen_classes(self) -> tuple[int, ...]:
        """Classes that photographs have or were taken for."""
        return tuple(np.union1d(self.scored.targets, self.scored.predictions).tolist())

    @cached_property
    def per_class(self) -> tuple[ClassFigures, ...]:
        """Of each class in `seen_classes`."""
        support = np.bincount(self.scored.targets, minlength=self.num_classes)
        taken = np.bincount(self.scored.predictions, minlength=self.num_classes)
        right = np.bincount(self.scored.targets[self.scored.right], minlength=self.num_classes)
        return tuple(
            ClassFigures(
                number=number,
                recall=Share(int(right[number]), int(support[number])),
                precision=Share(int(right[number]), int(taken[number])),
                f1=200 * float(right[number]) / float(support[number] + taken[number]),
                auc=self._auc(number),
            )
            for number in self.seen_classes
        )

    @cached_property
    def balanced_accuracy(self) -> float:
        """Mean of the recalls of all classes with photographs, in percent."""
        return float(np.mean([each.recall.percent for each in self.per_class if each.recall.count]))

    @cached_property
    def macro_f1(self) -> float:
        """Mean F1 of `seen_classes`, in percent."""
        return float(np.mean([each.f1 for each in self.per_class]))

    @cached_property
    def macro_auc(self) -> float | None:
        """Mean area under the ROC curve of the classes that have one."""
        areas = [each.auc for each in self.per_class if each.auc is not None]
        return float(np.mean(areas)) if areas else None

    @cached_property
    def confusions(self) -> tuple[Confusion, ...]:
        """The most frequent first; of equal counts in the order of the classes."""
        wrong = ~self.scored.right
        pairs = self.scored.targets[wrong] * self.num_classes + self.scored.predictions[wrong]
        codes, counts = np.unique(pairs, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple(Confusion(*divmod(int(codes[at]), self.num_classes), int(counts[at])) for at in order)

    @cached_property
    def matrix(self) -> Integers:
        """int64 [K, K] over `seen_classes`: rows are the photographs' classes, columns the answers."""
        places = np.zeros(self.num_classes, np.int64)
        size = len(self.seen_classes)
        places[list(self.seen_classes)] = np.arange(size)
        codes = places[self.scored.targets] * size + places[self.scored.predictions]
        return np.bincount(codes, minlength=size * size).reshape(size, size)

    @cached_property
    def worst_mistakes(self) -> Integers:
        """Numbers of all photographs that were taken for another class, the surest answer first."""
        wrong = np.flatnonzero(~self.scored.right)
        if self.scored.confidences is None:
            return wrong
        return wrong[np.argsort(-self.scored.confidences[wrong], kind="stable")]

    def _auc(self, number: int) -> float | None:
        if self.scored.probabilities is None:
            return None
        return area_under_roc(self.scored.targets == number, self.scored.probabilities[:, number])
