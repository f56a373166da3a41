"""A share of the samples that is held out: of every class alike, and never parts of one group on both sides."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from regnety.datasets.samples import Sample


def hold_out(
    samples: Sequence[Sample], fraction: float, *, seed: int, groups: Sequence[Hashable] | None = None
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split samples into (kept, held out), each in the order of `samples`.

    The same share of every class is held out, and at least one sample of a class that has two; never all of a class.
    Samples of one `Sample.group` stay together, and so do those with equal values in `groups`. With groups the shares
    are as near to `fraction` as whole groups allow, and a class within one group is not held out at all.

    Args:
        samples: labelled images.
        fraction: the share to hold out, above 0 and below 1.
        seed: the same seed gives the same split of the same samples.
        groups: a value for each sample, as the number of its near-duplicates; None for a sample that is alone.
    """
    together = groups_of(samples, groups)
    if len(set(together)) == len(samples):
        held = _share_of_each_class(samples, fraction, random.Random(seed))
    else:
        held = _share_of_groups(samples, fraction, together, random.Random(seed))
    kept = tuple(sample for number, sample in enumerate(samples) if number not in held)
    return kept, tuple(samples[number] for number in sorted(held))


def groups_of(samples: Sequence[Sample], groups: Sequence[Hashable] | None = None) -> list[int]:
    """For each sample the number of the first one that it must stay together with, its own where it is alone.

    Args:
        samples: labelled images; those of one `Sample.group` stay together.
        groups: a further value for each sample; those with equal values stay together, those with None are alone. What
            is together with the same sample by either is together: a person's photograph twice joins two persons.
    """
    first = list(range(len(samples)))

    def root(number: int) -> int:
        while first[number] != number:
            first[number] = first[first[number]]  # shorter for whoever asks next
            number = first[number]
        return number

    for values in (
        [sample.group for sample in samples],
        [None] * len(samples) if groups is None else groups,
    ):
        seen: dict[Hashable, int] = {}
        for number, value in enumerate(values):
            if value is not None:
                one, other = sorted((root(number), root(seen.setdefault(value, number))))
                first[other] = one
    return [root(number) for number in range(len(samples))]


def _share_of_each_class(samples: Sequence[Sample], fraction: float, generator: random.Random) -> set[int]:
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        by_label[sample.label].append(number)
    held: set[int] = set()
    for label in sorted(by_label):  # a fixed order, so that a seed always gives the same split
        members = by_label[label]
        held.update(generator.sample(members, _wanted(len(members), fraction)))
    return held


def _wanted(count: int, fraction: float) -> int:
    """Samples to hold out of a class: never all of it, as what is not in training cannot be learned."""
    return min(max(1, round(count * fraction)), count - 1)


def _share_of_groups(
    samples: Sequence[Sample], fraction: float, together: Sequence[int], generator: random.Random
) -> set[int]:
    members: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(together):
        members[group].append(number)
    order = sorted(members)
    generator.shuffle(order)
    order.sort(key=lambda group: -len(members[group]))  # large groups first: small ones fill what they leave
    counts = {group: Counter(samples[number].label for number in members[group]) for group in order}
    total = Counter(sample.label for sample in samples)
    wanted = {label: _wanted(count, fraction) for label, count in total.items()}
    now: Counter[str] = Counter()
    chosen: set[int] = set()

    def may_leave(group: int) -> bool:
        return all(now[label] + count < total[label] for label, count in counts[group].items())

    def nearer(group: int) -> bool:
        """Whether the shares of its classes come nearer to what is wanted."""
        gain = 0.0
        for label, count in counts[group].items():
            lack = wanted[label] - now[label]
            gain += (lack**2 - (lack - count) ** 2) / wanted[label] if wanted[label] else -count
        return gain > 0

    def choose(group: int) -> None:
        chosen.add(group)
        now.update(counts[group])

    for group in order:
        if may_leave(group) and nearer(group):
            choose(group)
    of_label: dict[str, list[int]] = defaultdict(list)
    for group in reversed(order):  # small ones first
        for label in counts[group]:
            of_label[label].append(group)
    for label in sorted(total):  # a class of two large groups would otherwise have nothing to be judged by
        smallest = next((group for group in of_label[label] if may_leave(group)), None)
        if not now[label] and smallest is not None:
            choose(smallest)
    return {number for group in chosen for number in members[group]}
