"""The folder of a fine-tuning run: who works in it, what was asked for when it began, and of which photographs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from regnety.datasets.samples import DataSplits
from regnety.errors import DataError, RecipeError
from regnety.files.file_names import FINETUNE_FILE
from regnety.files.opening import read_file_text
from regnety.finetuning.result import BUNDLE_FOLDER, RESULT_FILE
from regnety.plain_values import from_plain
from regnety.storage.replacing import remove_leftovers, replacing
from regnety.text import reason_of

ClassWeights: TypeAlias = Literal["balanced"]
"""`balanced`: every class counts the same, however many photographs it has."""
PICTURES_FILE = "pictures.json"
SPLIT_FILE = "split.json"
CHECKPOINT_FOLDER = "checkpoints"
FOLDS_FILE = "folds.json"
BEFORE_ANYTHING_IS_LOST = (PICTURES_FILE, SPLIT_FILE, FOLDS_FILE)
"""Files that are there before the first model is, and are then made anew."""
LOCK_NAME = "finetune"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """What a run was asked for. A resumed run has the same, but that all layers may be fitted after the classifier."""

    model: str
    """The name or the file's name, for messages."""
    weights: str
    """The fingerprint of its design and weights."""
    all_layers: bool
    epochs: int | None
    time_limit_s: float | None
    shown: Mapping[str, Any]
    """What the model is shown, where that is not left open: fields of `RunOptions` as plain JSON values."""
    class_weights: str | None
    """One of `ClassWeights`."""
    seed: int
    patience: int | None = None
    command: str | None = None
    """The command line that began it."""

    def write(self, run: Path) -> None:
        """Keep it in the run's folder."""
        with replacing(run / FINETUNE_FILE) as beside:
            beside.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


def check_run(run: Path, asked: FinetuneSettings, *, resume: bool) -> FinetuneSettings | None:
    """Check that a run may begin in a folder, or be resumed there; nothing is changed.

    Returns:
        What the run that is there was asked for; None where a new one begins.

    Raises:
        RecipeError: the folder holds something else, or a run without `resume`, or one with other settings.
    """
    if run.exists() and not run.is_dir():
        raise RecipeError(f"{run}: is a file; the output is a folder")
    if not has_begun(run):
        own = {FINETUNE_FILE, *BEFORE_ANYTHING_IS_LOST, f".{LOCK_NAME}.lock"}
        names = {entry.name for entry in run.iterdir()} if run.exists() else set()
        # A killed process leaves `.NAME.part` and `.NAME.old` of a file that it was writing.
        if any(not name.startswith(".") or not name.endswith((".part", ".old")) for name in names - own):
            raise RecipeError(f"{run}: is not empty and holds no run of finetune; name another output")
        return None
    stored = read_settings(run)
    if not resume:
        more = asked.all_layers and not stored.all_layers
        raise RecipeError(
            f"{run}: holds a run; {'fit all layers from its classifier' if more else 'continue it'} with --resume "
            "(resume=True), or name another output"
        )
    before, after = asdict(stored), asdict(asked)
    free = {"command", "model"}  # the same weights may have another place by now
    if after["all_layers"] and not before["all_layers"]:
        free |= {"all_layers", "epochs", "patience", "time_limit_s"}
    for name, value in after.items():
        if name not in free and value != before[name]:
            was = "another model" if name == "weights" else f"{name}={before[name]}"
            wanted = asked.model if name == "weights" else value
            raise RecipeError(f"{run}: the run has {was}, resuming cannot change it to {wanted}")
    return stored


def has_begun(run: Path) -> bool:
    """Whether there is a run with something to lose."""
    if not (run / FINETUNE_FILE).exists():
        return False
    return (run / BUNDLE_FOLDER).exists() or any((run / CHECKPOINT_FOLDER).glob("*.pt"))


def read_settings(run: Path) -> FinetuneSettings:
    """What a run was asked for.

    Raises:
        RecipeError: its file is damaged.
    """
    path = run / FINETUNE_FILE
    try:
        return from_plain(FinetuneSettings, json.loads(read_file_text(path)), name=str(path), error=RecipeError)
    except (OSError, ValueError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"{path}: cannot be read: {reason_of(error)}; it says what the run was asked for") from error


def open_run(run: Path, settings: FinetuneSettings, stored: FinetuneSettings | None) -> FinetuneSettings:
    """Prepare a folder that `check_run` has accepted, within `alone_in`, and write there what is asked for.

    Returns:
        The settings of the run from now on.

    Raises:
        RecipeError: the folder cannot be written to.
    """
    try:
        for folder in (run, run / CHECKPOINT_FOLDER):
            remove_leftovers(folder)
    except OSError as error:
        raise RecipeError(f"{run}: cannot be written to: {reason_of(error)}") from error
    if stored is None:  # killed before it had anything to lose: the photographs are recorded again
        for name in BEFORE_ANYTHING_IS_LOST:
            (run / name).unlink(missing_ok=True)
    elif settings.all_layers and not stored.all_layers:
        return settings  # until `begin_all_layers` the finished run is left as it is
    else:
        settings = replace(settings, command=stored.command)
    if settings != stored:
        settings.write(run)
    return settings


def begin_all_layers(run: Path, settings: FinetuneSettings) -> None:
    """Note that a classifier alone is continued with all layers: it has not finished any more.

    Only once the photographs have been looked at, so that what is refused by them leaves the run finished.
    """
    if settings.all_layers and not read_settings(run).all_layers:
        (run / RESULT_FILE).unlink(missing_ok=True)
        settings.write(run)


def check_pictures(run: Path, splits: DataSplits, *, left_out: Iterable[str]) -> None:
    """Record the photographs of a run; a resumed run must have the same ones.

    Names, classes and splits are compared, not times and contents: a copy of the data set is the same data set.

    Args:
        run: the run's folder.
        splits: those that can be read.
        left_out: names of those that cannot.

    Raises:
        DataError: the photographs have changed since the run began.
    """
    digest = hashlib.sha256()
    count = 0
    for split, samples in (("train", splits.train), ("val", splits.val), ("test", splits.test)):
        for sample in samples:
            count += 1
            line = f"{split}\0{sample.label}\0{splits.name_of(sample)}\0"
            digest.update(line.encode("utf-8", "surrogateescape"))
    values = {"count": count, "sha256": digest.hexdigest(), "unreadable": sorted(left_out)}
    path = run / PICTURES_FILE
    if not path.exists():
        with replacing(path) as beside:
            beside.write_text(json.dumps(values, indent=1) + "\n", "utf-8")
        return
    try:
        before = json.loads(read_file_text(path))
        was, same = before["count"], before["sha256"] == values["sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}; it says which pictures the run has") from error
    if not same:
        raise DataError(
            f"{splits.root}: has other pictures than when the run in {run} began ({count} now, {was} then); "
            f"put them back, or start another run from its weights: --model {run} (model=)"
        )
