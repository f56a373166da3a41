"""The photographs of a run that can be read, with their embeddings."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety.datasets.recorded_split import VAL_FRACTION, recorded_hold_out
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import DataError
from regnety.finetuning.findings import refuse_unreadable
from regnety.finetuning.run_folder import FOLDS_FILE, SPLIT_FILE
from regnety.heads.folds import assign_folds
from regnety.inference.similarity.embedder import Embedder
from regnety.inference.similarity.embedding_cache import cached_embeddings
from regnety.storage.replacing import replacing

FOLDS = 5
"""Each training photograph is held out once, from a fit of the other folds."""
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photographs:
    """The photographs of a run."""

    splits: DataSplits
    """Without those that cannot be read."""
    embeddings: dict[str, npt.NDArray[np.float32]]
    """Split to [N, num_features]."""
    unreadable: dict[str, str]
    """Name within the data set of each photograph that cannot be read, and why, in one line."""


def read_photographs(splits: DataSplits, embedder: Embedder, *, skip_unreadable: bool, quiet: bool) -> Photographs:
    """Embed every photograph of every split; embeddings that the cache has are not computed again.

    Args:
        splits: the data.
        embedder: the model, and what it is shown.
        skip_unreadable: leave out photographs that cannot be read.
        quiet: no progress.

    Raises:
        UnreadablePicturesError: some cannot be read.
        DataError: a class, or a whole split, has none that can be read.
    """
    samples = [sample for split in SPLITS for sample in _of(splits, split)]
    values, errors = cached_embeddings(embedder, [sample.image for sample in samples], quiet=quiet)
    unreadable = {splits.name_of(s): error for s, error in zip(samples, errors, strict=True) if error is not None}
    if not skip_unreadable:
        refuse_unreadable([*unreadable.values()], len(samples))
    kept: dict[str, tuple[Sample, ...]] = {}
    embeddings: dict[str, npt.NDArray[np.float32]] = {}
    start = 0
    for split in SPLITS:
        of_split = _of(splits, split)
        is_there = np.array([error is None for error in errors[start : start + len(of_split)]], bool)
        kept[split] = tuple(sample for sample, there in zip(of_split, is_there, strict=True) if there)
        embeddings[split] = values[start : start + len(of_split)][is_there]
        start += len(of_split)
        if of_split and not kept[split]:
            raise DataError(f"{splits.root}: no picture of {split} can be read; {next(iter(unreadable.values()))}")
    if gone := sorted(set(splits.classes) - {sample.label for sample in kept["train"]}):
        raise DataError(
            f"{splits.root}: no picture of the class {gone[0]!r} can be read; {next(iter(unreadable.values()))}"
        )
    readable = replace(splits, train=kept["train"], val=kept["val"], test=kept["test"])
    return Photographs(splits=readable, embeddings=embeddings, unreadable=unreadable)


def held_out(run: Path, photographs: Photographs, groups: Sequence[Hashable], *, seed: int) -> Photographs:
    """The same with a share of train as val, which is recorded in the run's folder.

    Args:
        run: the run's folder.
        photographs: without val.
        groups: one for each photograph of train; those of one group stay together.
        seed: of the choice.

    Raises:
        DataError: the record is damaged, or the data has changed since it was made.
    """
    splits = photographs.splits
    kept, held = recorded_hold_out(run / SPLIT_FILE, splits, VAL_FRACTION, seed=seed, groups=groups)
    if not held:
        raise DataError(
            f"{splits.root}: every class has one photograph or one group, so none can be held out to choose the best "
            "epoch; add photographs, or a val/"
        )
    # By identity: a table may name one photograph twice.
    chosen = {id(sample) for sample in held}
    is_held = np.array([id(sample) in chosen for sample in splits.train], bool)
    values = photographs.embeddings["train"]
    return replace(
        photographs,
        splits=replace(splits, train=kept, val=held),
        embeddings=photographs.embeddings | {"train": values[~is_held], "val": values[is_held]},
    )


def record_folds(run: Path, photographs: Photographs, groups: Sequence[Hashable], *, seed: int) -> None:
    """Write into the run's folder which training photographs were held out together: the folds of `fit_head`.

    Args:
        run: the run's folder.
        photographs: that the classifier is fitted on.
        groups: one for each photograph of train.
        seed: of the folds.
    """
    splits = photographs.splits
    numbers = {name: number for number, name in enumerate(splits.classes)}
    labels = np.array([numbers[sample.label] for sample in splits.train], np.intp)
    assigned = assign_folds(labels, folds=FOLDS, seed=seed, groups=groups).tolist()
    folds: list[list[str]] = [[] for _ in range(FOLDS)]
    for sample, fold in zip(splits.train, assigned, strict=True):
        folds[fold].append(splits.name_of(sample))
    with replacing(run / FOLDS_FILE) as beside:
        beside.write_text(json.dumps({"folds": folds}, indent=1) + "\n", "utf-8")


def _of(splits: DataSplits, split: str) -> Sequence[Sample]:
    samples: Sequence[Sample] = getattr(splits, split)
    return samples
