"""The laws by which the numbers of a design are drawn, each with its closed form.

Every law has finitely many values, a quantum apart, and turns a uniform number into one of them. The quanta and the
way in which they are rounded are those of pycls (`pycls/sweep/random.py`): a continuous number from a half-open
interval, rounded up, so that the lowest value is as likely as its share of the interval.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.architecture.stages import assign
from regnety.errors import InvalidDesignError

Reals: TypeAlias = npt.NDArray[np.float64]

MAX_VALUES = 1 << 22
"""Of one law: a quantum far below its range would fill the memory with values."""


class Distribution(ABC):
    """A law with finitely many values."""

    __slots__ = ()

    uniforms: int = 1
    """How many uniform numbers one value takes."""

    @abstractmethod
    def draw(self, *uniforms: Reals) -> Reals:
        """A value for each row of `uniforms` numbers from [0, 1)."""

    @abstractmethod
    def values(self) -> Reals:
        """All values, rising."""

    @abstractmethod
    def probabilities(self) -> Reals:
        """The probability of each value, by the closed form."""

    @property
    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value."""

    def with_limits(self, low: float, high: float) -> "Distribution":
        """The same law between other limits.

        Raises:
            InvalidDesignError: the law has no limits, or not these.
        """
        raise InvalidDesignError(f"{type(self).__name__} is a list of values and has no limits; give all of them")

    def as_dict(self) -> dict[str, Any]:
        """Its name and fields as plain JSON values; `distribution_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"law": type(self).__name__, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


@dataclass(frozen=True, slots=True)
class _Limited(Distribution):
    low: float
    high: float
    quantum: float = 1.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field in ("low", "high", "quantum"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
                raise InvalidDesignError(f"{name}: {field} must be a finite number, got {value!r}")
            assign(self, field, float(value))
        steps = [Fraction(str(limit)) / Fraction(str(self.quantum)) for limit in (self.low, self.high)]
        if self.quantum <= 0 or any(step.denominator != 1 for step in steps):
            raise InvalidDesignError(
                f"{name}: {self.low:g} to {self.high:g} must be whole multiples of the quantum {self.quantum:g}"
            )
        if self.low > self.high:
            raise InvalidDesignError(f"{name}: the lowest value {self.low:g} is above the highest {self.high:g}")
        if steps[1] - steps[0] >= MAX_VALUES:
            raise InvalidDesignError(f"{name}: has more than {MAX_VALUES} values; use a larger quantum")

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.low, self.high

    def with_limits(self, low: float, high: float) -> "Distribution":
        """The same law between other limits."""
        return type(self)(low, high, self.quantum)

    def values(self) -> Reals:
        """All values, rising."""
        first, last = round(self.low / self.quantum), round(self.high / self.quantum)
        return _multiples(np.arange(first, last + 1, dtype=np.float64), self.quantum)


def _multiples(steps: Reals, quantum: float) -> Reals:
    """Multiples of the quantum as the nearest floats: 364 tenths are 36.4, which 364 * 0.1 is not."""
    inverse = round(1 / quantum)
    return steps / inverse if inverse > 1 and quantum == 1 / inverse else steps * quantum


@dataclass(frozen=True, slots=True)
class Uniform(_Limited):
    """Each value between two limits, both allowed, is as likely as another."""

    def draw(self, *uniforms: Reals) -> Reals:
        """A value for each row."""
        first, last = round(self.low / self.quantum), round(self.high / self.quantum)
        return _multiples(np.minimum(first + np.floor(uniforms[0] * (last + 1 - first)), last), self.quantum)

    def probabilities(self) -> Reals:
        """The closed form."""
        count = len(self.values())
        return np.full(count, 1 / count)


@dataclass(frozen=True, slots=True)
class LogUniform(_Limited):
    """The logarithm is uniform: a number from (low - min(quantum, low / 2), high], rounded up to the quantum."""

    def __post_init__(self) -> None:
        # by name: a dataclass with slots is made anew, and a bare super() would still mean the old one
        _Limited.__post_init__(self)
        if self.low <= 0:
            raise InvalidDesignError(f"LogUniform: the lowest value must be above 0, got {self.low:g}")

    def draw(self, *uniforms: Reals) -> Reals:
        """A value for each row."""
        open_end = self._open_end()
        span = math.log(self.high) - math.log(open_end)
        # the uniform number is below 1, so that its complement is above 0 and the open end is never reached
        continuous = open_end * np.exp((1 - uniforms[0]) * span)
        first, last = round(self.low / self.quantum), round(self.high / self.quantum)
        return _multiples(np.clip(np.ceil(continuous / self.quantum), first, last), self.quantum)

    def probabilities(self) -> Reals:
        """The closed form."""
        upper = np.log(self.values() / self._open_end()) / math.log(self.high / self._open_end())
        upper[-1] = 1.0
        return np.diff(upper, prepend=0.0)

    def _open_end(self) -> float:
        return self.low - min(self.quantum, self.low / 2)


@dataclass(frozen=True, slots=True)
class OneOf(Distribution):
    """A list of values, each as likely as another. Over powers of two it is log-uniform."""

    choices: tuple[float, ...]

    def __post_init__(self) -> None:
        choices = self.choices
        if isinstance(choices, str) or not isinstance(choices, Sequence | np.ndarray) or not len(choices):
            raise InvalidDesignError(f"OneOf: needs a list of values, got {choices!r}")
        if any(isinstance(v, bool) or not isinstance(v, int | float | np.number) for v in choices):
            raise InvalidDesignError(f"OneOf: each value must be a number, got {choices!r}")
        assign(self, "choices", tuple(sorted({float(value) for value in choices})))

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.choices[0], self.choices[-1]

    def draw(self, *uniforms: Reals) -> Reals:
        """A value for each row."""
        return self.values()[np.minimum((uniforms[0] * len(self.choices)).astype(np.intp), len(self.choices) - 1)]

    def values(self) -> Reals:
        """All values, rising."""
        return np.array(self.choices)

    def probabilities(self) -> Reals:
        """The closed form."""
        return np.full(len(self.choices), 1 / len(self.choices))


@dataclass(frozen=True, slots=True)
class PowerOfTwoOrLogUniform(Distribution):
    """Powers of two below the quantum, its multiples above, about log-uniform as a whole (pycls's group widths).

    A power of two between the limits, each as likely as another; where it reaches the quantum, a log-uniform multiple
    of the quantum is drawn in its place.
    """

    low: int
    high: int
    quantum: int = 8

    uniforms = 2

    def __post_init__(self) -> None:
        for field in ("low", "high", "quantum"):
            value = getattr(self, field)
            if not isinstance(value, int | float | np.number) or value < 1 or not math.log2(value).is_integer():
                raise InvalidDesignError(f"PowerOfTwoOrLogUniform: {field} must be a power of two, got {value!r}")
            assign(self, field, int(value))
        if self.low > self.high:
            raise InvalidDesignError(
                f"PowerOfTwoOrLogUniform: the lowest value {self.low} is above the highest {self.high}"
            )

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return float(self.low), float(self.high)

    def with_limits(self, low: float, high: float) -> Distribution:
        """The same law between other limits."""
        return PowerOfTwoOrLogUniform(low, high, self.quantum)  # type: ignore[arg-type]  # checked where it is made

    def draw(self, *uniforms: Reals) -> Reals:
        """A value for each row."""
        powers = self._powers().draw(uniforms[0])
        multiples = self._multiples()
        return powers if multiples is None else np.where(powers < self.quantum, powers, multiples.draw(uniforms[1]))

    def values(self) -> Reals:
        """All values, rising."""
        powers, multiples = self._powers().values(), self._multiples()
        return powers if multiples is None else np.concatenate([powers[powers < self.quantum], multiples.values()])

    def probabilities(self) -> Reals:
        """The closed form."""
        powers, multiples = self._powers(), self._multiples()
        if multiples is None:
            return powers.probabilities()
        small = int((powers.values() < self.quantum).sum())
        rest = 1 - small / len(powers.choices)
        return np.concatenate([powers.probabilities()[:small], rest * multiples.probabilities()])

    def _powers(self) -> OneOf:
        first, last = int(math.log2(self.low)), int(math.log2(self.high))
        return OneOf(tuple(2.0**power for power in range(first, last + 1)))

    def _multiples(self) -> LogUniform | None:
        return LogUniform(max(self.low, self.quantum), self.high, self.quantum) if self.high >= self.quantum else None


LAWS: dict[str, type[Distribution]] = {
    law.__name__: law for law in (Uniform, LogUniform, OneOf, PowerOfTwoOrLogUniform)
}


def distribution_from_dict(values: Any) -> Distribution:
    """A law from what `as_dict` wrote.

    Raises:
        InvalidDesignError: it is no such table.
    """
    try:
        fields_ = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items() if name != "law"}
        return LAWS[values["law"]](**fields_)
    except (AttributeError, KeyError, TypeError):
        raise InvalidDesignError(f"not a distribution: {values!r}; known laws: {', '.join(LAWS)}") from None
