"""`check_data`: what is wrong with a data set, before hours are spent on it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.datasets.checking.class_balance import balance_findings
from regnety.datasets.checking.copies import copy_findings, copy_groups, group_findings
from regnety.datasets.checking.findings import Finding
from regnety.datasets.checking.pictures import look_at, picture_findings
from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.datasets.samples import Sample
from regnety.images.formats import MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """What is in a data set, and what is wrong with it.

    Args:
        data: its folder, file or address.
        counts: split to class to its number of photographs, those that cannot be read included.
        findings: what was found, the gravest first; empty for a data set in order.
        copies: groups of photographs that are one photograph, by their names; at least two in each.
        notices: what reading the data set had to say, a sentence each.
    """

    data: str
    counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]
    copies: tuple[tuple[str, ...], ...]
    notices: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of photographs."""
        return sum(sum(of_class.values()) for of_class in self.counts.values())

    def groups_of(self, samples: Sequence[Sample]) -> list[int | None]:
        """For each sample the number of its group of copies, None where it has none: what `hold_out` keeps together."""
        group_of = {name: number for number, group in enumerate(self.copies) for name in group}
        return [group_of.get(sample.name) for sample in samples]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `check --format json`."""
        return {
            "data": self.data,
            "count": self.count,
            "counts": {split: dict(of_class) for split, of_class in self.counts.items()},
            "findings": [finding.as_dict() for finding in self.findings],
            "notices": list(self.notices),
        }


def check_data(data: str | Path | DataSet, *, max_pixels: int = MAX_PIXELS, quiet: bool = False) -> DataCheck:
    """Look at every photograph of a data set: what cannot be read, is blank or tiny, is there twice; how classes weigh.

    Copies are found whatever their format and size, also a little cropped or lighter; not mirrored or turned ones. Two
    photographs of one scene are none. It takes about half a millisecond for a JPEG of 400x530 pixels and core, holds
    10 KiB for each photograph, and needs no model.

    Args:
        data: whatever a data set may be (`regnety finetune`), or one that has been read.
        max_pixels: width times height above which a photograph counts as unreadable.
        quiet: no progress on stderr.

    Raises:
        DataError: it cannot be read as a data set at all.
    """
    if not isinstance(data, DataSet):
        data = read_data_set(data, keep_empty=True, quiet=quiet)
    splits = {split: data.splits[split] for split in data.splits}
    counts = {split: dict(sorted(Counter(s.label for s in samples).items())) for split, samples in splits.items()}
    looks = {split: look_at(samples, max_pixels=max_pixels, quiet=quiet) for split, samples in splits.items()}
    everything = [look for of_split in looks.values() for look in of_split]
    split_of = {id(look): split for split, of_split in looks.items() for look in of_split}
    groups = copy_groups(everything, quiet=quiet)
    findings = (
        *picture_findings(everything),
        *copy_findings(groups, split_of),
        *group_findings(everything, split_of),
        *balance_findings(counts, data.empty_classes),
    )
    return DataCheck(
        data=str(data.root),
        counts=counts,
        findings=findings,
        copies=tuple(tuple(dict.fromkeys(look.sample.name for look in group)) for group in groups),
        notices=tuple(data.notices),
    )
