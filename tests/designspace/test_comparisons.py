"""Figures of populations against scipy, and against cases that are counted by hand."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from regnety.designspace.comparisons import best_of, bootstrap_range, difference, edf, rank_correlation


def test_the_distribution_counts_errors_strictly_below() -> None:
    found = edf(np.array([30.0, 10.0, 20.0, 20.0]))
    assert [found.share_below(error) for error in (10, 10.1, 20, 20.1, 30, 31)] == [0, 0.25, 0.25, 0.75, 0.75, 1]
    assert found.steps()[0] == (10.0, 0.0)
    assert found.steps()[-1] == (30.0, 1.0)
    assert found.margin == pytest.approx(1.358 / 2, abs=1e-3)  # the band's constant over the root of n


def test_the_best_of_n_is_that_of_all_choices() -> None:
    errors = np.random.default_rng(0).normal(30, 3, 9)
    for count in (1, 3, 8, 9):
        best = np.array([min(chosen) for chosen in combinations(errors.tolist(), count)])
        found = best_of(errors, count, confidence=0.8)
        assert found.value == pytest.approx(best.mean())
        assert (found.low, found.high) == tuple(np.percentile(best, (10, 90), method="inverted_cdf"))
    assert best_of(errors, 20).value == errors.min()


def test_rank_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(1)
    one, other = generator.integers(0, 9, (2, 50)).astype(float)
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(one, np.ones(50)))


def test_the_bootstrap_finds_where_the_best_values_are() -> None:
    generator = np.random.default_rng(2)
    values = generator.uniform(0, 1, 400)
    found = bootstrap_range(values, np.abs(values - 0.3) + generator.normal(0, 0.01, 400))
    assert found.low < 0.3 < found.high
    assert found.high - found.low < 0.1
    # of a quarter of four trials the one drawn is the best
    alone = bootstrap_range(np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 3.0, 2.0, 1.0]))
    assert (alone.low, alone.high) == (1.0, 4.0)


def test_a_difference_has_an_interval_and_a_test() -> None:
    generator = np.random.default_rng(3)
    better, worse = generator.normal(30, 2, 80), generator.normal(33, 2, 80)
    found, chance = difference(better, worse)
    assert found.low < found.value < found.high < 0
    assert chance < 1e-6
    same, chance = difference(better, better)
    assert same.low < 0 < same.high
    assert chance == 1
