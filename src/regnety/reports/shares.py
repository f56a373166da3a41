"""A share of photographs, and how sure one can be of it."""

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""Standard deviations around the mean of a normal distribution that hold 95 % of it."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a number of photographs, with the 95 % interval by Wilson's score (1927), which holds for few too."""

    hits: int
    count: int

    @property
    def percent(self) -> float:
        """Of the count; NaN of none."""
        return 100 * self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) in percent; (0, 100) of none."""
        if not self.count:
            return 0.0, 100.0
        share, squared = self.hits / self.count, Z_95**2
        spread = Z_95 * math.sqrt(share * (1 - share) / self.count + squared / (4 * self.count**2))
        scale = 1 + squared / self.count
        centre = share + squared / (2 * self.count)
        # rounding must not put the ends outside, nor beside the share where it is all or nothing
        low = 0.0 if self.hits == 0 else max(0.0, (centre - spread) / scale)
        high = 1.0 if self.hits == self.count else min(1.0, (centre + spread) / scale)
        return 100 * low, 100 * high
