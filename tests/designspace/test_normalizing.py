"""Populations compared at equal cost."""

import numpy as np
import pytest
from scipy import stats

from regnety.designspace.normalizing import largest_gap, normalized_edfs, shared_weights
from regnety.errors import DataError


def test_weights_by_hand() -> None:
    """Two bins over 1 to 4: the one population has 3 and 1 in them, the other 1 and 2, and one outside."""
    one, other = np.array([1.0, 1.2, 1.9, 4.0]), np.array([1.5, 2.5, 4.0, 9.0])
    first, second = shared_weights([one, other], bins=2)
    # the shared range is 1.5 to 4, cut at sqrt(6): 1.0 and 1.2 lie outside
    assert first.tolist() == [0, 0, 0.5, 0.5]
    assert second.tolist() == [0.5, 0.25, 0.25, 0]


def test_an_error_that_is_cost_alone_disappears() -> None:
    """Both have the same error at the same cost; one has dearer models. Without weights it looks better."""
    generator = np.random.default_rng(0)
    cheap, dear = np.exp(generator.beta(2, 4, 4000)), np.exp(generator.beta(4, 2, 4000))
    errors = [50 - 10 * np.log(cost) for cost in (cheap, dear)]
    plain = stats.ks_2samp(*errors).statistic
    edfs = normalized_edfs(errors, [cheap, dear])
    assert plain > 0.4
    assert largest_gap(*edfs) < 0.06
    assert edfs[0].mean == pytest.approx(edfs[1].mean, abs=0.15)
    assert all(edf.weights.sum() == pytest.approx(1) for edf in edfs)
    assert all(edf.effective_count < 4000 for edf in edfs)


def test_equal_weights_are_the_ordinary_edf_and_its_test() -> None:
    generator = np.random.default_rng(1)
    errors = [np.round(generator.normal(40, 5, 60), 1), np.round(generator.normal(42, 5, 80), 1)]
    edfs = normalized_edfs(errors, [np.ones(60), np.ones(80)])
    assert largest_gap(*edfs) == pytest.approx(stats.ks_2samp(*errors).statistic)
    for edf, error in zip(edfs, errors, strict=True):
        assert edf.effective_count == pytest.approx(len(error))
        for at in (error[3], 30.0, 41.05, 99.0):
            assert edf.share_below(at) == pytest.approx((error < at).mean())  # strictly below


def test_the_cost_is_distributed_alike() -> None:
    generator = np.random.default_rng(2)
    costs = [np.exp(generator.normal(mean, 0.4, 500)) for mean in (1, 1.2, 0.9)]
    weights = shared_weights(costs)
    low, high = max(cost.min() for cost in costs), min(cost.max() for cost in costs)
    edges = np.geomspace(low, high, 6)
    shares = [np.histogram(cost, edges, weights=weight)[0] for cost, weight in zip(costs, weights, strict=True)]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.15)
    assert all(weight.sum() == pytest.approx(1) for weight in weights)


@pytest.mark.parametrize(
    ("costs", "bins", "message"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], None, "no range of this cost in common"),
        ([[1.0, 2.0], []], None, "each needs at least one model"),
        ([[1.0, 2.0], [0.0, 2.0]], None, "finite numbers above 0"),
        ([[1.0, 4.0], [1.0, 2.0, 4.0]], 3, "one of 3 bins"),
        ([[1.0, 1.0, 1.0, 10.0], [1.0, 10.0, 10.0, 10.0]], None, "too few models of the same cost"),
    ],
)
def test_what_cannot_be_compared(costs: list[list[float]], bins: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        shared_weights([np.array(cost) for cost in costs], bins=bins)
    with pytest.raises(DataError, match="2 errors and 3 costs"):
        normalized_edfs([np.zeros(2)], [np.ones(3)])
