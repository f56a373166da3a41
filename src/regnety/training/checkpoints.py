"""Checkpoints of a run: complete or absent, and read without running anything in them."""

import io
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from regnety.errors import RecipeError
from regnety.files.opening import open_file
from regnety.metadata.model_metadata import KEY, ModelMetadata
from regnety.storage.replacing import replacing
from regnety.training.best_epochs import BestEpochs, Weights
from regnety.training.optimisation.weight_average import WeightAverage

FOLDER = "checkpoints"


@dataclass(slots=True, kw_only=True)
class Progression:
    """The progress of a run: plain values, kept with the weights."""

    epochs_done: int
    history: list[dict[str, Any]]
    """One row per epoch, as in metrics.jsonl."""
    best_epoch: int
    best_top1: float
    """In percent on the validation pictures; -1 without any."""
    seconds: float
    """Time spent so far, before and after interruptions."""
    lengths: list[list[int]] = field(default_factory=list)
    """[epochs that were done, epochs of the run from then on]; several if the run was extended."""
    start_top1: float | None = None
    """In percent, of the weights at the start; None where they were not validated."""
    averaged: list[int] = field(default_factory=list)
    """The epochs whose weights were averaged to the best ones; empty where those are of one epoch."""

    def extensions(self) -> str | None:
        """How a run was extended, in words; None if it was not."""
        if len(self.lengths) < 2:
            return None
        (_, first), *others = self.lengths
        return f"{first} epochs, " + ", ".join(f"extended to {length} after epoch {done}" for done, length in others)


def save_checkpoint(
    run: Path,
    progression: Progression,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None,
    scaler: torch.amp.GradScaler,
    best: Weights,
    best_epochs: BestEpochs,
    metadata: ModelMetadata,
    keep: int,
) -> Path:
    """Write `checkpoints/epoch-NNNN.pt`, and remove all but the newest `keep`.

    It has the metadata of the best weights too, as text, so that the file can be used as a MODEL.
    """
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"epoch-{progression.epochs_done:04d}.pt"
    state = {
        KEY: metadata.as_json(),
        # Plain values and not the dataclass: torch.load with weights_only refuses classes.
        "progression": {name: getattr(progression, name) for name in Progression.__slots__},
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        # "model" and "best" differ: training continues from the last weights, the bundle has the best ones.
        "average": None if average is None else {"updates": average.updates, "state": average.state},
        "scaler": scaler.state_dict(),  # empty but for f16
        "best": best,
        "best_epochs": best_epochs.as_list(),
    }
    buffer = io.BytesIO()  # torch's own file writer hides the operating system's error, as that the disk is full
    torch.save(state, buffer)
    with replacing(path) as beside:
        beside.write_bytes(buffer.getbuffer())
    for old in checkpoints(run)[: -max(1, keep)]:  # after the new one is in place, so that one is always there
        old.unlink()
    return path


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted((run / FOLDER).glob("epoch-*.pt"))  # four digits: by name is by age, up to 9999 epochs


def load_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None,
    scaler: torch.amp.GradScaler,
    best_epochs: BestEpochs,
) -> tuple[Progression, Weights]:
    """Restore a run from a checkpoint; the answer is its progress and its best weights so far.

    Raises:
        RecipeError: the file is damaged, or belongs to another network.
    """
    try:
        _check_whole(path)
        state = torch.load(path, map_location="cpu", weights_only=True)  # nothing in the file is run
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            # The ramp of the decay depends on it.
            average.updates = state["average"]["updates"]
            for key, value in average.state.items():
                value.copy_(state["average"]["state"][key])
        if scaler.is_enabled():
            scaler.load_state_dict(state["scaler"])
        best_epochs.restore(state.get("best_epochs", ()))  # checkpoints of earlier releases lack them
        return Progression(**state["progression"]), state["best"]
    except (
        OSError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        first_line = str(error).strip().partition("\n")[0]
        run = path.parent.parent
        others = "remove it to continue from the one before"
        advice = others if len(checkpoints(run)) > 1 else f"start another run from the best weights: --model {run}"
        raise RecipeError(f"{path}: cannot be resumed from: {first_line}; {advice}") from error


def _check_whole(path: Path) -> None:
    """torch reads its zip files without comparing their checksums; a changed byte would go unnoticed."""
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")
