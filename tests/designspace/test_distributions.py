"""Each law of drawing against its closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from regnety.designspace.distributions import (
    Distribution,
    LogUniform,
    OneOf,
    PowerOfTwoOrLogUniform,
    Uniform,
    distribution_from_dict,
)
from regnety.designspace.sampling import drawn_numbers
from regnety.designspace.spaces import SPACES, DesignSpace
from regnety.errors import InvalidDesignError

DRAWS = 100_000
SPACES_AND_RANGES = {
    **{name: make() for name, make in SPACES.items()},
    "pycls": DesignSpace.regnety("pycls"),
    "constrained": DesignSpace.regnetx("constrained"),
    "any number of stages": DesignSpace.anynetx_a(num_stages=(2, 5)),
}


def chi_square(law: Distribution, drawn: np.ndarray) -> float:
    """The p-value of what was drawn under the closed form; rare neighbouring values are counted together."""
    values, expected = law.values(), law.probabilities() * drawn.size
    observed = np.zeros(len(values))
    found, counts = np.unique(drawn, return_counts=True)
    places = np.searchsorted(values, found)
    assert (values[places] == found).all()
    observed[places] = counts
    groups = np.floor(np.cumsum(expected) / 20)
    groups = np.minimum(groups, groups[-1] - 1) if groups[-1] > 1 else groups
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    observed, expected = np.add.reduceat(observed, starts), np.add.reduceat(expected, starts)
    return 1.0 if len(starts) == 1 else float(stats.chisquare(observed, expected).pvalue)


def _different_rows(rows: np.ndarray) -> list[np.ndarray]:
    """One for each stage; where all stages share a number, one."""
    return [rows[0]] if (rows == rows[0]).all() else list(rows)


@pytest.mark.parametrize("name", SPACES_AND_RANGES)
def test_every_number_is_drawn_by_its_law(name: str) -> None:
    space = SPACES_AND_RANGES[name]
    drawn = drawn_numbers(space, 0, DRAWS, seed=3)
    for column, values in drawn.items():
        if column == "num_stages":
            fewest, most = space.num_stages or (1, 1)
            law: Distribution = Uniform(fewest, most)
        else:
            law = getattr(space.ranges, column)
        for row in _different_rows(np.atleast_2d(values)):
            assert chi_square(law, row) > 1e-4, column


@pytest.mark.parametrize(
    "law",
    [
        LogUniform(8, 256, 0.1),
        LogUniform(1.5, 3, 0.001),
        LogUniform(8, 1024, 8),
        LogUniform(3, 48, 3),
        PowerOfTwoOrLogUniform(1, 128),
        PowerOfTwoOrLogUniform(1, 4),
        PowerOfTwoOrLogUniform(16, 64),
        OneOf((3, 1, 2)),
        Uniform(0.5, 2.5, 0.5),
    ],
)
def test_probabilities_and_values(law: Distribution) -> None:
    values, probabilities = law.values(), law.probabilities()
    assert len(values) == len(probabilities)
    assert (np.diff(values) > 0).all()
    assert (probabilities > 0).all()
    assert math.isclose(probabilities.sum(), 1, rel_tol=1e-12)
    assert (values[0], values[-1]) == law.limits
    assert distribution_from_dict(law.as_dict()) == law


def test_log_uniform_is_log_uniform_between_its_limits() -> None:
    """With a small quantum the distribution function is the continuous one to within a quantum."""
    law = LogUniform(8, 256, 0.1)
    drawn = law.draw(np.random.default_rng(5).random(DRAWS))
    # ties of a tenth are broken upwards by at most a tenth: far less than what the test can see
    result = stats.kstest(drawn, lambda x: np.log(x / 7.9) / math.log(256 / 7.9))
    assert result.statistic < 0.016  # a tenth is 1/80 of the lowest value, ln(81/80) / ln(256/7.9) of probability
    assert chi_square(law, drawn) > 1e-4


def test_values_are_the_decimals_they_are_written_as() -> None:
    assert 36.4 in LogUniform(8, 256, 0.1).values()
    assert 2.489 in LogUniform(1.5, 3, 0.001).values()
    assert LogUniform(1.5, 3, 0.001).draw(np.array([0.0, 1 - 2**-53])).tolist() == [3.0, 1.5]


def test_uniform_numbers_at_their_ends_stay_within_the_limits() -> None:
    ends = np.array([0.0, 1 - 2**-53])
    for law in (Uniform(1, 63), LogUniform(8, 256, 8), OneOf((1, 2, 4)), PowerOfTwoOrLogUniform(1, 128)):
        drawn = law.draw(*[ends] * law.uniforms)
        assert set(drawn) <= set(law.values())


def test_small_powers_and_large_multiples() -> None:
    law = PowerOfTwoOrLogUniform(1, 128, 8)
    assert law.values().tolist() == [1, 2, 4, *range(8, 129, 8)]
    # eight powers of two: three of them below the quantum
    assert law.probabilities()[:3].tolist() == [1 / 8] * 3
    above = np.log(law.values()[3:] / 4) / math.log(32)
    np.testing.assert_allclose(np.cumsum(law.probabilities()[3:]), 5 / 8 * above, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogUniform(0, 8), "must be above 0"),
        (lambda: LogUniform(8, 12, 8), "whole multiples of the quantum 8"),
        (lambda: Uniform(3, 2), "the lowest value 3 is above the highest 2"),
        (lambda: Uniform(0, math.inf), "high must be a finite number"),
        (lambda: Uniform(0, 1, 1e-9), "use a larger quantum"),
        (lambda: OneOf(()), "needs a list of values"),
        (lambda: PowerOfTwoOrLogUniform(3, 8), "low must be a power of two"),
        (lambda: distribution_from_dict({"law": "Normal"}), "known laws: Uniform, LogUniform"),
        (lambda: OneOf((1, 2)).with_limits(1, 2), "is a list of values"),
    ],
)
def test_laws_that_cannot_be(make: object, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        make()  # type: ignore[operator]
