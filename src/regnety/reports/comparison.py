"""Two runs beside each other: on the photographs that both have answered, and figure by figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from regnety.reports.content import Integers, ReportContent
from regnety.reports.shares import Share
from regnety.reports.statistics import Figures
from regnety.reports.tables import percent
from regnety.text import counted

ONE_IN_TWENTY = 0.05
NEARLY_ALL = 0.9
"""Share of the photographs by which two data sets in different places are taken for one."""


@dataclass(frozen=True)
class Comparison:
    """Two reports, and the photographs that both of them have.

    Args:
        names: what the two are called.
        contents: of the two reports.
    """

    names: tuple[str, str]
    contents: tuple[ReportContent, ReportContent]

    @cached_property
    def figures(self) -> tuple[Figures, Figures]:
        """Of all photographs of each."""
        one, other = self.contents
        return Figures(one.scored, len(one.classes)), Figures(other.scored, len(other.classes))

    @cached_property
    def common(self) -> tuple[Integers, Integers]:
        """int64 [M], [M]: the numbers of the same photographs, of one name and one class, in both."""
        one, other = self.contents
        names = one.scored.names, other.scored.names
        if not set(names[0]) & set(names[1]) and one.scored.split == other.scored.split:
            # the data was moved, or named in another way; few equal names below the folder are others of these names
            within = _within(names[0]), _within(names[1])
            if len(set(within[0]) & set(within[1])) >= NEARLY_ALL * min(map(len, within)):
                names = within
        known = {name: number for number, name in enumerate(names[1])}
        found = [
            (number, known[name])
            for number, name in enumerate(names[0])
            if name in known
            and one.classes[one.scored.targets[number]] == other.classes[other.scored.targets[known[name]]]
        ]
        both = np.array(found, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    @cached_property
    def right(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """bool [M], [M]: whether each is right about the common photographs."""
        first, second = self.common
        return self.contents[0].scored.right[first], self.contents[1].scored.right[second]

    @cached_property
    def only(self) -> tuple[int, int]:
        """Common photographs that only the one, and only the other, is right about."""
        one, other = self.right
        return int((one & ~other).sum()), int((other & ~one).sum())


def mcnemar(only_one: int, only_other: int) -> float:
    """How likely chance alone makes two equally good models differ so much: McNemar's exact test, two-sided.

    Args:
        only_one: photographs that only the one is right about.
        only_other: photographs that only the other is right about.
    """
    count, fewer = only_one + only_other, min(only_one, only_other)
    ways, total = 1, 0
    for chosen in range(fewer + 1):
        total += ways
        ways = ways * (count - chosen) // (chosen + 1)
    # whole numbers until here; and logarithms, as 2**count is no float from 1,024 photographs on
    return min(1.0, math.exp(math.log(2 * total) - count * math.log(2)))


def verdict(comparison: Comparison) -> str:
    """The comparison in one sentence."""
    first, second = comparison.names
    count = len(comparison.common[0])
    if not count:
        whole = [percent(figures.top1.percent) for figures in comparison.figures]
        return (
            f"{second} is right about {whole[1]} and {first} about {whole[0]}, but of different photographs: "
            "none has the same name and class in both."
        )
    one, other = (Share(int(right.sum()), count) for right in comparison.right)
    what = counted(count, f"{comparison.contents[0].scored.split} photograph")
    if one.hits == other.hits:
        return f"{first} and {second} are each right about {percent(one.percent)} of the same {what}."
    difference = abs(other.percent - one.percent)
    chance = mcnemar(*comparison.only)
    explained = "is more than chance explains" if chance < ONE_IN_TWENTY else "may be chance"
    return (
        f"Of the same {what} {second} is right about {percent(other.percent)} and {first} about "
        f"{percent(one.percent)}; the difference of {difference:.1f} points {explained} "
        f"(McNemar's test, p\u202f{_p_value(chance)})."
    )


def _p_value(chance: float) -> str:
    return "<\u202f0.001" if chance < 0.001 else f"=\u202f{chance:.3f}"


def _within(names: Sequence[str]) -> tuple[str, ...]:
    """Names from the folder on that all photographs are in."""
    parts = [name.replace("\\", "/").split("/") for name in names]
    folders = [each[:-1] for each in parts]
    first, last = min(folders), max(folders)  # what these two share, all that are between them share
    pairs = enumerate(zip(first, last, strict=False))
    shared = next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))
    return tuple("/".join(each[shared:]) for each in parts)
