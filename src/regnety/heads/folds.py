"""Which rows are held out together: folds with the same share of each class, groups never divided."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt


def assign_folds(
    labels: npt.NDArray[np.intp], *, folds: int, seed: int, groups: Sequence[Hashable | None] | None = None
) -> npt.NDArray[np.intp]:
    """The fold of each row, from 0; each class is spread over the folds as evenly as its groups allow.

    Args:
        labels: [N], the class of each row.
        folds: how many, at least 2; some are empty where there are fewer groups.
        seed: of the order in which rows of a class are dealt.
        groups: [N], rows with the same value go to the same fold; None is a row by itself, and in place of the list
            it is all of them.
    """
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    members: dict[Hashable, list[int]] = {}
    for row in order:
        group = None if groups is None else groups[row]
        # A tuple, as the number of a row may be another's group.
        members.setdefault((None, row) if group is None else (group,), []).append(row)
    classes = labels.tolist()
    in_fold = [Counter[int]() for _ in range(folds)]
    sizes = [0] * folds
    assigned = np.empty(len(labels), np.intp)
    # Large groups first: the small ones then fill what these leave uneven. `sorted` keeps the drawn order of equals.
    for rows in sorted(members.values(), key=len, reverse=True):
        counts = Counter(classes[row] for row in rows)
        held = [sum(count * there[name] for name, count in counts.items()) for there in in_fold]
        best = min(range(folds), key=lambda fold: (held[fold], sizes[fold]))
        in_fold[best] += counts
        sizes[best] += len(rows)
        assigned[rows] = best
    return assigned
