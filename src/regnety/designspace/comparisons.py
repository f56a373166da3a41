"""Errors of a population in figures: their distribution, what a parameter's best range is, and what few trials find.

Radosavovic et al. (arXiv:2003.13678), section 3.1: the EDF, and the empirical bootstrap.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.extras import import_extra

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
DRAWS = 10_000
"""Of the bootstrap, as in the paper."""
SHARE = 0.25
"""Of the trials in one of them, as in the paper."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Edf:
    """The share of trials whose error is below e, strictly: F(e).

    Args:
        errors: float64 [n], rising.
        margin: half the height of the band that has the whole of the true distribution in it with 95 %
            (Dvoretzky, Kiefer and Wolfowitz; Massart's constant). It is that of as many errors as there are designs:
            trainings of one design with other seeds say nothing of others.
    """

    errors: Values
    margin: float

    def share_below(self, error: float) -> float:
        """F(e)."""
        return float(np.searchsorted(self.errors, error, side="left")) / len(self.errors)

    def steps(self) -> list[tuple[float, float]]:
        """Corners of its graph, from 0 to 1."""
        count = len(self.errors)
        return [
            corner
            for number, error in enumerate(self.errors.tolist())
            for corner in ((error, number / count), (error, (number + 1) / count))
        ]


def edf(errors: Values, *, designs: int | None = None) -> Edf:
    """The distribution of at least one error.

    Args:
        errors: float64 [n].
        designs: how many designs they are of; None is one each.
    """
    return Edf(np.sort(errors), math.sqrt(math.log(2 / 0.05) / (2 * (designs or len(errors)))))


def bootstrap_range(values: Values, errors: Values, *, seed: int = 0) -> Estimate:
    """Where the best value of a parameter lies: the median, and the 95 % interval.

    A quarter of the trials is drawn with replacement, 10,000 times; each time the one with the least error gives its
    value.
    """
    size = max(1, round(SHARE * len(values)))
    drawn = np.random.default_rng(seed).integers(len(values), size=(DRAWS, size))
    best = drawn[np.arange(DRAWS), errors[drawn].argmin(axis=1)]
    low, middle, high = np.percentile(values[best], (2.5, 50, 97.5)).tolist()
    return Estimate(middle, low, high)


def best_of(errors: Values, count: int, *, confidence: float = 0.95) -> Estimate:
    """The least error among `count` trials drawn from these, with replacement: its mean and its interval, exact.

    These stand for the space that they were drawn from. Without replacement the best of all of them would have an
    interval of no width, as if another population had the same one.
    """
    ordered = np.sort(errors)
    total = len(ordered)
    # the chance that all of `count` trials are among the total - k worst, from k = 0 on
    worse = (np.arange(total, -1, -1) / total) ** count
    chances = worse[:-1] - worse[1:]
    cumulated = np.cumsum(chances)
    tail = (1 - confidence) / 2
    low, high = (ordered[min(int(np.searchsorted(cumulated, p - 1e-12)), total - 1)] for p in (tail, 1 - tail))
    return Estimate(float(chances @ ordered), float(low), float(high))


def rank_correlation(one: Values, other: Values) -> float:
    """Spearman's, from -1 to 1; NaN where all values of one are the same."""
    ranks, others = _ranks(one), _ranks(other)
    if min(float(ranks.std()), float(others.std())) == 0:
        return float("nan")
    return float(np.corrcoef(ranks, others)[0, 1])


@dataclass(frozen=True, slots=True)
class DesignErrors:
    """Errors that belong together by their designs.

    Args:
        sums: of the errors of each design, float64 [designs].
        counts: how many each has.
    """

    sums: Values
    counts: Numbers

    @classmethod
    def of(cls, errors: Values, designs: Numbers | None = None) -> "DesignErrors":
        """Errors, float64 [n], and the numbers of their designs; None is one each."""
        if designs is None:
            return cls(errors, np.ones(len(errors), np.int64))
        _, places = np.unique(designs, return_inverse=True)
        sums = np.bincount(places, errors).astype(np.float64)
        return cls(sums, np.bincount(places).astype(np.int64))

    @property
    def mean(self) -> float:
        """Of all errors."""
        return float(self.sums.sum() / self.counts.sum())

    @property
    def means(self) -> Values:
        """Of each design's errors."""
        return self.sums / self.counts

    def bootstrap_means(self, generator: np.random.Generator) -> Values:
        """The mean of all errors of as many designs, drawn with replacement, 10,000 times."""
        drawn = generator.integers(len(self.sums), size=(DRAWS, len(self.sums)))
        means: Values = self.sums[drawn].sum(axis=1) / self.counts[drawn].sum(axis=1)
        return means


def difference(errors: DesignErrors, others: DesignErrors, *, seed: int = 0) -> tuple[Estimate, float]:
    """Mean error less that of others, with its 95 % bootstrap interval; and the p of the Kolmogorov-Smirnov test.

    Both are of designs: the bootstrap draws whole ones, and the test has the mean error of each.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    stats = import_extra("scipy.stats", feature="comparing populations", extra="finetune")
    generator = np.random.default_rng(seed)
    means = [each.bootstrap_means(generator) for each in (errors, others)]
    low, high = np.percentile(means[0] - means[1], (2.5, 97.5)).tolist()
    found = Estimate(errors.mean - others.mean, low, high)
    return found, float(stats.ks_2samp(errors.means, others.means).pvalue)


def _ranks(values: Values) -> Values:
    """From 1; equal values have their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Values = (last - (counts - 1) / 2).astype(np.float64)
    return means[inverse]
