"""One model whose weights are the mean of those of several: of the epochs of a run, or of runs of one start."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.bundle.run_folders import CHECKPOINT_FOLDER
from regnety.errors import WeightsError
from regnety.files.arrays import Array
from regnety.notices import say
from regnety.weights.checkpoint import open_checkpoint

OF_AN_EPOCH = ("average.state", "model")
"""State dicts of a checkpoint of `regnety train` that are its epoch's own, the first that is there; its `best` ones are
the same in all checkpoints after the best epoch."""
FIELDS = {
    "design": "design",
    "num_classes": "number of classes",
    "in_chans": "number of input channels",
    "labels": "class names",
    "preprocessing": "preprocessing",
}
"""What messages call the fields of the metadata that models to be averaged have in common."""
OF_ONE = {
    "weights",
    "best_epoch",
    "epochs",
    "val_top1",
    "test_top1",
    "test_pictures",
    "unfinished",
    "stopped",
    "minutes",
}
"""Facts of a training that are not true of an average, even where all models have the same."""


def average_models(models: Sequence[str | Path | Bundle], *, quiet: bool = False) -> Bundle:
    """A model whose weights are the mean of the weights of others ("stochastic weight averaging", "model soup").

        average_models(sorted(Path("runs/016/checkpoints").iterdir())).save("averaged")

    It helps where the models lie near to each other: epochs of one run, or runs that began with the same trained
    weights. The statistics of batch norm are averaged too.

    Args:
        models: at least two, each anything that `Bundle.load` takes. The folder of a run of `regnety train` stands for
            all of its checkpoints, and each of those for the weights of its own epoch: the averaged ones where its run
            averages, else the last ones.
        quiet: show no progress of what is fetched.

    Returns:
        A model in memory, with design, labels and preprocessing of the first.

    Raises:
        WeightsError: fewer than two models, one in int8, or two that differ in design, class names or preprocessing.
        UnknownModelError: one of them is not known.
    """
    if isinstance(models, str | Path | Bundle):
        models = [models]
    found = list(_loaded(models, quiet=quiet))
    if len(found) < 2:
        raise WeightsError(f"average: takes at least two models, or a run with as many checkpoints; got {len(found)}")
    first, *others = found
    for other in others:
        for field in ("design", "num_classes", "in_chans", "labels", "preprocessing"):
            if getattr(other.metadata, field) != getattr(first.metadata, field):
                raise WeightsError(
                    f"{other.name}: differs from {first.name} in its {FIELDS[field]}; only models of the same network "
                    "and task can be averaged"
                )
    _say_if_strangers(found, quiet=quiet)
    training_files = first.training_files
    for other in others if training_files is not None else ():
        training_files = (
            None if other.training_files is None or training_files is None else (training_files | other.training_files)
        )
    provenance: dict[str, Any] = {
        key: value
        for key, value in first.provenance.items()
        if all(other.provenance.get(key) == value for other in others) and key not in OF_ONE
    }
    provenance["averaged_from"] = [Path(bundle.name).name for bundle in found]
    return Bundle(
        replace(first.metadata, provenance=provenance),
        {key: _mean([bundle.weights[key] for bundle in found]) for key in first.stored_keys()},
        name="average",
        training_files=training_files,
    )


def _say_if_strangers(found: Sequence[Bundle], *, quiet: bool) -> None:
    """Models from different random weights are no neighbours, and a mean of them is seldom better than chance."""
    first, *others = (bundle.provenance for bundle in found)
    for bundle, facts in zip(found[1:], others, strict=True):
        if "base" not in first and "seed" in first and facts.get("seed", first["seed"]) != first["seed"]:
            say(
                f"{bundle.name}: began with other random weights than {found[0].name} (seeds {facts['seed']} and "
                f"{first['seed']}); an average of the two is seldom any good",
                quiet=quiet,
            )
            return


def _loaded(models: Sequence[str | Path | Bundle], *, quiet: bool) -> Iterator[Bundle]:
    for model in models:
        if isinstance(model, Bundle):
            yield model
        elif (folder := Path(model) / CHECKPOINT_FOLDER).is_dir() and (inside := sorted(folder.glob("epoch-*.pt"))):
            yield from (_of_epoch(path, quiet=quiet) for path in inside)
        elif Path(model).suffix == ".pt" and Path(model).is_file():
            yield _of_epoch(Path(model), quiet=quiet)
        else:
            yield Bundle.load(model, quiet=quiet)


def _of_epoch(path: Path, *, quiet: bool) -> Bundle:
    """The weights of a checkpoint's own epoch; of another program's file what it is as a model."""
    checkpoint = open_checkpoint(path)
    parts = {checkpoint.taken.part, *checkpoint.taken.others}
    own = [part for part in OF_AN_EPOCH if part in parts] if checkpoint.own_metadata is not None else []
    return Bundle.load(path, quiet=quiet, state_dict=own[0] if own else None)


def _mean(values: Sequence[Array]) -> Array:
    first = np.asarray(values[0])
    if not np.issubdtype(first.dtype, np.floating):
        return first  # counters of batches
    total = np.zeros(first.shape, np.float64)
    for value in values:
        total += value
    return (total / len(values)).astype(np.float32)
