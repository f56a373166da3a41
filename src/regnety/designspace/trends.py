"""Straight lines and parabolas through the models of a population, as the paper draws trends of depth or macs."""

from dataclasses import dataclass

import numpy as np

from regnety.designspace.distributions import Reals
from regnety.errors import DataError


@dataclass(frozen=True, slots=True)
class Trend:
    """A polynomial of least squares."""

    coefficients: tuple[float, ...]
    """Of x**0, x**1 and so on."""
    determination: float
    """R squared: the share of the variance that it explains; 1 where there is none to explain."""

    def at(self, x: Reals | float) -> Reals:
        """Its value."""
        values: Reals = np.polynomial.polynomial.polyval(np.asarray(x, np.float64), np.array(self.coefficients))
        return values


def fit_trend(x: Reals, y: Reals, *, degree: int = 1) -> Trend:
    """Fit a line (degree 1) or a parabola (degree 2) to y as a function of x.

    Raises:
        DataError: there are fewer different x than coefficients, or not as many x as y.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise DataError(f"a trend needs as many x as y, got {x.size} and {y.size}")
    if len(np.unique(x)) <= degree:
        raise DataError(f"a trend of degree {degree} needs {degree + 1} different values, got {len(np.unique(x))}")
    # about the mean and in units of the spread: macs are of the order of 1e9, and their squares would drown the rest
    fitted = np.polynomial.Polynomial.fit(x, y, degree)
    rest, spread = np.square(y - fitted(x)).sum(), np.square(y - y.mean()).sum()
    coefficients = fitted.convert().coef
    padded = np.pad(coefficients, (0, degree + 1 - len(coefficients)))
    return Trend(tuple(float(value) for value in padded), float(1 - rest / spread) if spread > 0 else 1.0)
