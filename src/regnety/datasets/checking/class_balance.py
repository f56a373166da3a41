"""How the classes of a data set weigh: too few photographs, far fewer than others, or none where they are needed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from regnety.datasets.checking.findings import Finding
from regnety.datasets.split_names import UNSPLIT
from regnety.text import counted

FEW = 5
"""Photographs below which a class is small: five folds need one each."""
UNEVEN = 10
"""Times that the largest class has as many photographs as a class that is called far smaller."""


def balance_findings(counts: Mapping[str, Mapping[str, int]], empty: Sequence[Path] = ()) -> Iterator[Finding]:
    """What is wrong with the classes.

    Args:
        counts: split to class to its number of photographs.
        empty: class folders without images.
    """
    if empty:
        text = f"{counted(len(empty), 'class folder has', 'class folders have')} no images; fill or remove"
        text = f"{text} {'it' if len(empty) == 1 else 'them'}"
        yield Finding(title="empty classes", text=text, count=len(empty), examples=_names(list(map(str, empty))))
    trained_on = next((counts[split] for split in ("train", UNSPLIT) if split in counts), None)
    if trained_on is None:
        return
    if len(trained_on) < 2:
        text = f"{counted(len(trained_on), 'class', 'classes')} to train on; a classifier needs at least two"
        yield Finding(title="one class", text=text, count=len(trained_on), examples=_names(trained_on))
    if unknown := sorted({label for of_class in counts.values() for label in of_class} - set(trained_on)):
        text = f"{counted(len(unknown), 'class', 'classes')} to score and none to train on; add photographs to train"
        yield Finding(title="classes without training", text=text, count=len(unknown), examples=_names(unknown))
    if few := {label: count for label, count in trained_on.items() if count < FEW}:
        text = (
            f"{counted(len(few), 'class', 'classes')} with fewer than {FEW} photographs to train on, "
            f"{min(few.values())} in the smallest; add some"
        )
        yield Finding(title="small classes", text=text, count=len(few), examples=_names(few))
    most = max(trained_on.values(), default=0)
    if uneven := {label: count for label, count in trained_on.items() if UNEVEN * count <= most}:
        text = (
            f"{counted(len(uneven), 'class', 'classes')} with a {UNEVEN}th or less of the photographs of the largest "
            f"({most}), {min(uneven.values())} in the smallest; add some, or train with --class-weights balanced"
        )
        yield Finding(title="uneven classes", text=text, count=len(uneven), examples=_names(uneven))


def _names(labels: Mapping[str, int] | list[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((label,) for label in labels)
