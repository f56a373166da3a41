"""A share that is held out for the whole of a run: chosen once, written into its folder, and read from there."""

import json
from collections.abc import Hashable, Sequence
from pathlib import Path

from regnety.datasets.samples import DataSplits, Sample
from regnety.datasets.splitting import hold_out
from regnety.errors import DataError
from regnety.files.opening import read_file_text
from regnety.storage.replacing import replacing

VAL_FRACTION = 0.1
"""What is held out of train where there is no val, unless a recipe says otherwise."""


def recorded_hold_out(
    path: Path, splits: DataSplits, fraction: float, *, seed: int, groups: Sequence[Hashable] | None = None
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """(kept, held out) of the training samples: as a file says, or a new choice that is written there.

    Args:
        path: of the file.
        splits: the data.
        fraction: the share to hold out.
        seed: of the choice.
        groups: as for `hold_out`.

    Raises:
        DataError: the file is damaged, or the data lacks samples that it names.
    """
    if not path.exists():
        _, held = hold_out(splits.train, fraction, seed=seed, groups=groups)
        # Relative and with slashes, so that data and run can move to another machine.
        names = [splits.name_of(sample) for sample in held]
        with replacing(path) as beside:
            beside.write_text(json.dumps({"val": names}, indent=1), "utf-8")
    try:
        held_names = set(json.loads(read_file_text(path))["val"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; it says which pictures the run holds out") from error
    held_out = [splits.name_of(sample) in held_names for sample in splits.train]
    # Training on what was held out before would make the validation worthless without a word.
    if sum(held_out) != len(held_names):
        raise DataError(
            f"{splits.root}: lacks pictures that {path} holds out; the data has changed since the run began"
        )
    kept = tuple(sample for sample, out in zip(splits.train, held_out, strict=True) if not out)
    return kept, tuple(sample for sample, out in zip(splits.train, held_out, strict=True) if out)
