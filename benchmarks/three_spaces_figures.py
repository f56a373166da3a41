"""The figures of the study of three spaces: which space is better, by how much, and with what certainty."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from regnety.designspace.comparisons import DRAWS, DesignErrors, Edf, Estimate, Values, difference, edf

Row = dict[str, Any]
ORDER = ("anynetx_a", "regnetx", "regnety")
"""From the worst space to the best, by the paper."""
PAIRS = (("anynetx_a", "regnetx"), ("regnetx", "regnety"), ("anynetx_a", "regnety"))
"""(worse, better) by the paper."""
POWER = 1.96 + 0.84
"""Standard errors by which a difference must exceed 0 to be found with 95 % four times in five."""


@dataclass(frozen=True)
class Sample:
    """The errors of a space's designs, in percent, one training each."""

    name: str
    errors: Values

    def error_edf(self) -> Edf:
        """Their distribution."""
        return edf(self.errors)


@dataclass(frozen=True)
class Comparison:
    """What became of a pair that the paper has an order for."""

    worse: str
    better: str
    difference: Estimate
    """Mean error of the better less that of the worse."""
    p: float
    """Of the Kolmogorov-Smirnov test."""
    wins: float
    """Share of pairs of designs in which the better space's has the lower error; equal ones count half."""

    @property
    def state(self) -> Literal["shows", "opposite", "open"]:
        """Whether the interval leaves the order no doubt."""
        if self.difference.high < 0:
            return "shows"
        return "opposite" if self.difference.low > 0 else "open"


@dataclass(frozen=True)
class Noise:
    """Designs that were trained with several seeds."""

    designs: int
    deviation: float
    """Of the error of one design, pooled over all."""


@dataclass(frozen=True)
class Paired:
    """Designs that two spaces share."""

    count: int
    lower: int
    """How many have the lower error in the second."""
    difference: Estimate
    """Mean error in the second less that in the first."""


def samples_of(rows: Sequence[Row]) -> dict[str, Sample]:
    """By name of the space; trainings that failed or are still to come are left out."""
    found = {}
    for name in ORDER:
        errors = [each["error"] for each in rows if _is_done(each, "designs") and each["space"] == name]
        if len(errors) < 2:
            raise SystemExit(f"{name}: has {len(errors)} trained designs, a comparison needs two")
        found[name] = Sample(name, np.array(errors, np.float64))
    return found


def compared(worse: Sample, better: Sample) -> Comparison:
    """Compare two spaces that the paper has an order for."""
    found, p = difference(DesignErrors.of(better.errors), DesignErrors.of(worse.errors))
    gaps = better.errors[:, None] - worse.errors[None, :]
    wins = float((gaps < 0).mean() + (gaps == 0).mean() / 2)
    return Comparison(worse.name, better.name, found, p, wins)


def mean_of(values: Values, *, seed: int = 0) -> Estimate:
    """The mean with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5)).tolist()
    return Estimate(float(values.mean()), low, high)


def smallest_found(samples: Iterable[Sample]) -> float:
    """The difference of two means, in points, that samples of this size and spread show four times in five."""
    parts = [(float(each.errors.var(ddof=1)), len(each.errors)) for each in samples]
    variance = sum(value for value, _ in parts) / len(parts)
    return POWER * float(np.sqrt(2 * variance / min(count for _, count in parts)))


def noise_of(rows: Sequence[Row]) -> Noise | None:
    """From seed to seed, by the designs of a space that were trained several times; None where there are none."""
    again = {each["design"] for each in rows if _is_done(each, "seeds")}
    groups = [
        np.array([each["error"] for each in rows if each["design"] == design and _is_done(each, "designs", "seeds")])
        for design in sorted(again)
    ]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return Noise(len(groups), float(np.sqrt(squares / sum(len(group) - 1 for group in groups))))


def with_and_without(rows: Sequence[Row]) -> Paired | None:
    """The designs of RegNetX that RegNetY has with squeeze-and-excitation; None where they share fewer than two."""
    errors: dict[str, dict[str, float]] = {"regnetx": {}, "regnety": {}}
    for each in rows:
        if _is_done(each, "designs") and each["space"] in errors:
            fields = {name: value for name, value in json.loads(each["fields"]).items() if name != "se_ratio"}
            errors[each["space"]][json.dumps(fields, sort_keys=True)] = each["error"]
    without, with_it = errors["regnetx"], errors["regnety"]
    changes = np.array([with_it[design] - without[design] for design in without if design in with_it])
    if len(changes) < 2:
        return None
    return Paired(len(changes), int((changes < 0).sum()), mean_of(changes))


def _is_done(row: Row, *parts: str) -> bool:
    return row["part"] in parts and row["status"] == "done"
