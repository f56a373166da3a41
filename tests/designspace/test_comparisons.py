"""Figures of populations against scipy, and against cases that are counted by hand."""

import sys
from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from regnety.designspace.comparisons import (
    DesignErrors,
    best_of,
    bootstrap_range,
    difference,
    edf,
    rank_correlation,
)
from regnety.errors import MissingExtraError


def test_the_distribution_counts_errors_strictly_below() -> None:
    found = edf(np.array([30.0, 10.0, 20.0, 20.0]))
    assert [found.share_below(error) for error in (10, 10.1, 20, 20.1, 30, 31)] == [0, 0.25, 0.25, 0.75, 0.75, 1]
    assert found.steps()[0] == (10.0, 0.0)
    assert found.steps()[-1] == (30.0, 1.0)
    assert found.margin == pytest.approx(1.358 / 2, abs=1e-3)  # the band's constant over the root of n


def test_the_best_of_n_is_that_of_all_choices() -> None:
    errors = np.random.default_rng(0).normal(30, 3, 6)
    for count in (1, 3, 6, 7):
        best = np.array([min(chosen) for chosen in product(errors.tolist(), repeat=count)])
        found = best_of(errors, count, confidence=0.8)
        assert found.value == pytest.approx(best.mean())
        assert (found.low, found.high) == tuple(np.percentile(best, (10, 90), method="inverted_cdf"))
    assert best_of(errors, 10_000).value == pytest.approx(errors.min())
    of_all = best_of(errors, 6)
    assert of_all.low == errors.min() < of_all.high  # another six would have another best


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
    found, chance = difference(DesignErrors.of(better), DesignErrors.of(worse))
    assert found.low < found.value < found.high < 0
    assert chance < 1e-6
    same, chance = difference(DesignErrors.of(better), DesignErrors.of(better))
    assert same.low < 0 < same.high
    assert chance == 1


def test_seeds_of_one_design_are_no_further_designs() -> None:
    """Ten designs trained with eight seeds each are as uncertain as their ten means."""
    generator = np.random.default_rng(4)
    of_designs = generator.normal(30, 2, 10)
    designs = np.repeat(np.arange(10), 8)
    errors = of_designs[designs] + generator.normal(0, 0.1, 80)
    others = DesignErrors.of(generator.normal(31, 2, 10))
    together, alone = DesignErrors.of(errors, designs), DesignErrors.of(errors)
    assert together.mean == pytest.approx(alone.mean)
    (found, chance), (narrow, smaller) = difference(together, others), difference(alone, others)
    means, _ = difference(DesignErrors.of(together.means), others)
    assert found.high - found.low == pytest.approx(means.high - means.low, rel=0.05)
    assert found.high - found.low > 1.2 * (narrow.high - narrow.low)
    assert chance > smaller
    assert edf(errors, designs=10).margin == edf(of_designs).margin


def test_a_comparison_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match="comparing populations needs"):
        difference(DesignErrors.of(np.ones(3)), DesignErrors.of(np.ones(3)))
