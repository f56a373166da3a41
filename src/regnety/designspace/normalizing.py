"""Comparing populations whose networks cost differently: weights that make their costs alike.

Radosavovic et al., "On Network Design Spaces for Visual Recognition" (arXiv:1905.13214), section 3.2: the models of
each population have weights by which a complexity has the same distribution in all of them, uniform over the range
that they share. What remains of a difference between the error EDFs is not one of cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.designspace.distributions import Reals
from regnety.errors import DataError

Wholes = npt.NDArray[np.intp]
MOST_BINS = 20
LEAST_IN_BIN = 2
"""Models of each population in each bin, with the number of bins as large as that allows."""
NARROW = 1.15
"""Largest cost over the smallest up to which costs are alike without any bins, as those of the paper's bands are."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightedEdf:
    """The weighted share of models whose error is below e, strictly."""

    errors: Reals
    """[models] rising."""
    weights: Reals
    """[models] of the same; their sum is 1."""

    def share_below(self, error: float) -> float:
        """F(e)."""
        return float(self.weights[: np.searchsorted(self.errors, error, side="left")].sum())

    @property
    def effective_count(self) -> float:
        """As many models of equal weight would say as much: 1 / sum of squared weights."""
        return float(1 / np.square(self.weights).sum())

    @property
    def mean(self) -> float:
        """The weighted mean error."""
        return float(self.errors @ self.weights)


def shared_weights(costs: Sequence[Reals], *, bins: int | None = None) -> tuple[Reals, ...]:
    """A weight for each model of each population, by which a cost is distributed alike in all of them.

    The range of cost that all populations share is divided into bins, on a logarithmic scale. Every bin has the same
    weight in every population, and the models of a population in it share that equally; models outside have none.

    Args:
        costs: a cost above 0 for each model of each population: parameters, activations or multiply-adds.
        bins: of the shared range; None is as many as leave at least two models of each population in each, at most 20.

    Returns:
        Weights of each population, with a sum of 1.

    Raises:
        DataError: the populations share no range of cost, or a bin has no model of one of them, or they have too few
            models to be divided into bins at all.
    """
    values = [np.log(_positive(cost)) for cost in costs]
    if not values or not all(map(len, values)):
        raise DataError("populations are compared by their costs: each needs at least one model")
    low, high = max(value.min() for value in values), min(value.max() for value in values)
    if low > high:
        raise DataError("the populations have no range of this cost in common, and cannot be compared at equal cost")
    counts = range(MOST_BINS, 0, -1) if bins is None else (bins,)
    for count in counts:
        edges = np.linspace(low, high, count + 1)
        places = [_places(value, edges) for value in values]
        members = [np.bincount(place[place >= 0], minlength=count) for place in places]
        least = min(int(member.min()) for member in members)
        if bins is None and count == 1 and high - low > np.log(NARROW):
            raise DataError("the populations have too few models of the same cost to be compared at equal cost")
        if least >= (LEAST_IN_BIN if count > 1 and bins is None else 1):
            return tuple(_weights(place, member) for place, member in zip(places, members, strict=True))
    raise DataError(f"one of {counts[-1]} bins of this cost has no model of a population; use fewer bins")


def normalized_edfs(
    errors: Sequence[Reals], costs: Sequence[Reals], *, bins: int | None = None
) -> tuple[WeightedEdf, ...]:
    """The error EDF of each population at equal cost; arguments as for `shared_weights`.

    Raises:
        DataError: as for `shared_weights`, or a population has another number of errors than of costs.
    """
    for error, cost in zip(errors, costs, strict=True):
        if len(error) != len(cost):
            raise DataError(f"a population has {len(error)} errors and {len(cost)} costs")
    found = []
    for error, weight in zip(errors, shared_weights(costs, bins=bins), strict=True):
        order = np.argsort(error, kind="stable")
        kept = order[weight[order] > 0]
        found.append(WeightedEdf(np.asarray(error, np.float64)[kept], weight[kept]))
    return tuple(found)


def largest_gap(one: WeightedEdf, other: WeightedEdf) -> float:
    """The Kolmogorov-Smirnov distance of two weighted EDFs: the largest difference of F(e), from 0 to 1."""
    places = np.concatenate([one.errors, other.errors])

    def shares(edf: WeightedEdf) -> Reals:
        below = np.concatenate([[0.0], np.cumsum(edf.weights)])
        # with e itself: F jumps behind each error, and between jumps it does not change
        return below[np.searchsorted(edf.errors, places, side="right")]

    return float(np.abs(shares(one) - shares(other)).max())


def _positive(cost: Reals) -> Reals:
    cost = np.asarray(cost, np.float64)
    if cost.ndim != 1 or not np.isfinite(cost).all() or (cost <= 0).any():
        raise DataError("costs must be a list of finite numbers above 0 for each population")
    return cost


def _places(values: Reals, edges: Reals) -> Wholes:
    """The bin of each value; -1 outside."""
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.where((values >= edges[0]) & (values <= edges[-1]), places, -1)


def _weights(places: Wholes, members: Wholes) -> Reals:
    share = 1 / (len(members) * members)
    return np.where(places >= 0, share[places], 0.0)
