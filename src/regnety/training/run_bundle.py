"""The bundle of a run, from the first epoch on: the weights of the best epoch so far, and their provenance."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.bundle.card_text import title_of
from regnety.bundle.training_files import TrainingFiles, stored_training_files
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import WeightsError
from regnety.files.number_types import stored_type
from regnety.inference.evaluation import evaluate
from regnety.inference.evaluation_result import EvaluationResult
from regnety.metadata.inheritance import inherited
from regnety.metadata.model_metadata import ModelMetadata
from regnety.notices import say
from regnety.training.checkpoints import Progression
from regnety.training.epoch_weights import AVERAGED
from regnety.training.recipes.recipe import Recipe
from regnety.training.run_folder import BUNDLE_FOLDER
from regnety.training.session import Session

UNFINISHED = "unfinished"
"""The fact in the provenance of a bundle by which its run has not finished."""
STOPPED = "stopped"
"""The fact in the provenance of a bundle by which its run ended before its last epoch."""

WritesReport: TypeAlias = Callable[[Bundle, EvaluationResult | None], None]
"""Of a finished bundle, and of what it answered to the test pictures if there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of a finished run.

    Args:
        bundle: the folder of the model with the best weights.
        epochs: number of epochs.
        minutes: from the first epoch to the last, without the time between a kill and `resume`.
        val_top1: in percent, of the epoch that was kept; None without validation.
        test_top1: in percent, of the bundle; None without a test split.
    """

    bundle: Path
    epochs: int
    minutes: float
    val_top1: float | None
    test_top1: float | None


class RunBundle:
    """Writes the bundle of a run.

    Args:
        run: the run's folder.
        session: the best weights.
        splits: the data.
        training_files: fingerprints of the training pictures.
        num_unreadable: pictures that were left out.
        num_labelled_by_teacher: pictures that were trained on beside those of the data.
        base: the model whose weights it started from.
        command: the command line; a resumed run keeps the one that began it.
    """

    def __init__(
        self,
        run: Path,
        session: Session,
        splits: DataSplits,
        *,
        training_files: TrainingFiles,
        num_unreadable: int,
        num_labelled_by_teacher: int,
        base: Bundle | None,
        command: str | None,
    ) -> None:
        self.folder = run / BUNDLE_FOLDER
        # Resolved, as `--output .` has no name of its own.
        self._name = run.resolve().name
        self._session = session
        self._splits = splits
        self._training_files = training_files
        self._num_unreadable = num_unreadable
        self._num_labelled = num_labelled_by_teacher
        self._base = base
        self._command = _facts_of(self.folder).get("command", command)

    def metadata(self, *, finished: bool = False, more: Mapping[str, Any] | None = None) -> ModelMetadata:
        """Design, labels, preprocessing and provenance of the best weights so far."""
        session, splits = self._session, self._splits
        recipe, progression = session.recipe, session.progression
        facts: dict[str, Any] = {
            # The folder's name alone: a card goes to other people, and a path tells of this machine.
            "data": f"{os.path.basename(os.path.abspath(splits.root))}: {len(splits.train)} training pictures",
            "left_out": f"{self._num_unreadable} pictures that cannot be read" if self._num_unreadable else None,
            **({} if self._base is None else {"base": title_of(self._base), **inherited(self._base.provenance)}),
            # The name alone here, too.
            "teacher": None if recipe.teacher is None else Path(recipe.teacher).name,
            "labelled_by_teacher": f"{self._num_labelled} more pictures" if self._num_labelled else None,
            "command": self._command,
            "recipe": recipe.name,
            "seed": recipe.seed,
            **facts_of_training(session),
            UNFINISHED: None if finished else f"{progression.epochs_done} of {recipe.epochs} epochs are done",
            "schedule": progression.extensions(),
            "minutes": round(progression.seconds / 60, 1),
            **(more or {}),
        }
        return ModelMetadata(
            design=session.model.architecture.design,
            num_classes=len(splits.classes),
            in_chans=session.model.architecture.in_chans,
            preprocessing=session.preprocessing,
            labels=splits.classes,
            provenance={name: value for name, value in facts.items() if value is not None},
        )

    def write(self, *, finished: bool = False, more: Mapping[str, Any] | None = None) -> Path:
        """Replace the bundle with the best weights so far."""
        # Channels-last tensors are not contiguous in the order that files have.
        weights = {key: value.cpu().contiguous().numpy() for key, value in self._session.best.items()}
        bundle = Bundle(
            self.metadata(finished=finished, more=more), weights, name=self._name, training_files=self._training_files
        )
        dtype = stored_type(self._session.recipe.bundle_dtype)
        if dtype == "float16" and not _fit_into_f16(weights):  # no reason for a training to end
            say(f"{self.folder}: a value is too large for f16; the bundle has f32")
            dtype = "float32"
        return bundle.save(self.folder, dtype=dtype)

    def finish(self, report: WritesReport | None, *, quiet: bool) -> tuple[RunResult, tuple[str, ...]]:
        """Score the bundle once on the test split, if there is one, and write it for the last time.

        Args:
            report: gets the bundle and what it answers to the test pictures. It is written before the run counts as
                finished, so that a run which is killed meanwhile writes it when it is resumed.
            quiet: no progress.

        Returns:
            The result, and a line for each test picture that could not be read.
        """
        tested: EvaluationResult | None = None
        if self._splits.test or report is not None:
            # As it is on disk, as everybody will run it: with f16 weights, and the engine of `eval`.
            bundle = Bundle.load(self.write())
            if self._splits.test:
                tested = evaluate(bundle, self._splits.test, probabilities=report is not None, quiet=quiet)
            if report is not None:
                report(bundle, tested)
        self.write(
            finished=True,
            more=None if tested is None else {"test_top1": round(tested.top1, 3), "test_pictures": tested.count},
        )
        progression = self._session.progression
        result = RunResult(
            bundle=self.folder,
            epochs=progression.epochs_done,
            minutes=progression.seconds / 60,
            val_top1=progression.best_top1 if progression.best_top1 >= 0 else None,
            test_top1=None if tested is None else tested.top1,
        )
        return result, () if tested is None else tested.errors


def _fit_into_f16(weights: Mapping[str, npt.NDArray[Any]]) -> bool:
    most = float(np.finfo(np.float16).max)
    return all(float(np.abs(value).max(initial=0)) <= most for value in weights.values() if value.dtype.kind == "f")


def facts_of_training(session: Session) -> dict[str, Any]:
    """How the best weights so far came about, without times: the same in every run of the same recipe and pictures."""
    recipe, progression = session.recipe, session.progression
    facts: dict[str, Any] = {"epochs": progression.epochs_done, "weights": _weights_in_words(progression, recipe)}
    if session.has_ended and progression.epochs_done < recipe.epochs:
        facts[STOPPED] = (
            f"after epoch {progression.epochs_done} of {recipe.epochs}, as the last {recipe.patience} were no better"
        )
    facts["arithmetic"] = session.arithmetic
    if not session.device.is_processor:
        facts["device"] = session.device.name
    facts["trained_with"] = (
        f"regnety {version.__version__}, torch {torch.__version__}, Python {platform.python_version()}"
    )
    if progression.best_top1 >= 0:  # -1 until a validation has been made
        facts |= {"val_top1": round(progression.best_top1, 3), "best_epoch": progression.best_epoch}
    return facts


def _weights_in_words(progression: Progression, recipe: Recipe) -> str:
    if progression.averaged:
        *others, last = map(str, progression.averaged)
        return f"the average of epochs {', '.join(others)} and {last}"
    best = progression.best_epoch
    row = progression.history[best - 1] if 0 < best <= len(progression.history) else {}
    averaged = recipe.averages_weights and row.get(AVERAGED, 1) == 1
    return f"of epoch {best}{', averaged over the training' * averaged}"


def finished_result(run: Path, recipe: Recipe) -> RunResult | None:
    """The result of a finished run, from its bundle; None if something is left to do."""
    folder = run / BUNDLE_FOLDER
    facts = _facts_of(folder)
    # More epochs than the bundle has: the run is to be extended, unless it had ended before its last epoch.
    if UNFINISHED in facts or (facts.get("epochs") != recipe.epochs and STOPPED not in facts):
        return None
    return RunResult(
        bundle=folder,
        epochs=facts["epochs"],
        minutes=facts.get("minutes", 0.0),
        val_top1=facts.get("val_top1"),
        test_top1=facts.get("test_top1"),
    )


def training_files_of(
    run: Path, samples: Sequence[Sample], *, base: Bundle | None, looked_at: bool, quiet: bool
) -> TrainingFiles:
    """Fingerprints of the pictures that a run trains on, and of those that its base was trained on.

    Args:
        run: the run's folder; the fingerprints in its bundle are used again if no file has changed.
        samples: the training pictures.
        base: the model that it starts from.
        looked_at: whether files have changed since the run recorded them.
        quiet: no progress.
    """
    stored = stored_training_files(run / BUNDLE_FOLDER)
    # A resume does not hash every picture again if none has changed.
    if stored is not None and not looked_at:
        return stored
    found = TrainingFiles.of([sample.image for sample in samples], quiet=quiet) | stored
    return found if base is None else found | base.training_files


def _facts_of(folder: Path) -> Mapping[str, Any]:
    """The provenance in the bundle of a run; nothing if there is none, or it is damaged."""
    try:
        return Bundle.load(folder).provenance if folder.is_dir() else {}
    except WeightsError:
        return {}
