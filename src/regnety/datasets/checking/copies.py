"""Photographs that a data set has more than once: of one content, or nearly so; in one class, in two, in two splits."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from regnety.datasets.checking.findings import Finding
from regnety.datasets.checking.near_duplicates import near_duplicates
from regnety.datasets.checking.pictures import Look
from regnety.text import counted

Group = Sequence[Look]


def copy_groups(looks: Sequence[Look], *, quiet: bool) -> list[Group]:
    """Groups of photographs that are one photograph, each in the order of `looks`, and in that of their first ones.

    Blank ones are like each other and no copies, unless their files are the same.
    """
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for place, look in enumerate(looks):
        if look.seen is not None:
            by_digest[look.seen.digest].append(place)
    contents = [*by_digest.values()]
    compared = [places for places in contents if not looks[places[0]].is_blank]
    greys = [seen.grey for places in compared if (seen := looks[places[0]].seen) is not None]
    near = near_duplicates(np.stack(greys), quiet=quiet) if greys else []
    groups = [[place for number in group for place in compared[number]] for group in near]
    grouped = {place for group in groups for place in group}
    groups += [places for places in contents if len(places) > 1 and places[0] not in grouped]
    return [[looks[place] for place in sorted(group)] for group in sorted(map(sorted, groups))]


def copy_findings(groups: Sequence[Group], split_of: Mapping[int, str]) -> Iterator[Finding]:
    """What is wrong with copies. One that is in two classes and two splits is found for both.

    Args:
        groups: of copies.
        split_of: the split of each look, by its `id`.
    """
    labels = [{look.sample.label for look in group} for group in groups]
    splits = [{split_of[id(look)] for look in group} for group in groups]
    in_two_classes = [group for group, of in zip(groups, labels, strict=True) if len(of) > 1]
    if in_two_classes:
        yield _finding(
            "copies in two classes",
            f"{counted(len(in_two_classes), 'photograph')} in more than one class; keep each in the one that is right",
            in_two_classes,
        )
    in_two_splits = [group for group, of in zip(groups, splits, strict=True) if len(of) > 1]
    if in_two_splits:
        yield _finding(
            "copies in two splits",
            f"{counted(len(in_two_splits), 'photograph')} in more than one split, so that accuracy is overstated; "
            "keep each in one",
            in_two_splits,
        )
    rest = [
        group for group, label, split in zip(groups, labels, splits, strict=True) if len(label) == 1 and len(split) == 1
    ]
    same = [group for group in rest if len({look.seen.digest for look in group if look.seen is not None}) == 1]
    near = [group for group in rest if not any(group is other for other in same)]
    if same:
        text = f"{counted(len(same), 'photograph')} more than once, {_spare(same)} to spare; remove the others"
        yield _finding("exact copies", text, same)
    if near:
        text = (
            f"{counted(len(near), 'photograph')} more than once, resized, cropped or saved again, "
            f"{_spare(near)} to spare; remove the others"
        )
        yield _finding("near copies", text, near)


def group_findings(looks: Sequence[Look], split_of: Mapping[int, str]) -> Iterator[Finding]:
    """What is wrong with groups, where a table has some: one person in two splits, say."""
    splits: dict[str, set[str]] = defaultdict(set)
    for look in looks:
        if look.sample.group is not None:
            splits[look.sample.group].add(split_of[id(look)])
    if parted := sorted(group for group, of in splits.items() if len(of) > 1):
        yield Finding(
            title="groups in two splits",
            text=f"{counted(len(parted), 'group')} in more than one split, so that accuracy is overstated; keep each "
            "in one",
            count=len(parted),
            examples=tuple((group,) for group in parted),
        )


def _spare(groups: Sequence[Group]) -> int:
    return sum(len(group) - 1 for group in groups)


def _finding(title: str, text: str, groups: Sequence[Group]) -> Finding:
    names = tuple(tuple(look.sample.name for look in group) for group in groups)
    return Finding(title=title, text=text, count=len(groups), examples=names)
