"""Photographs without labels, which a teacher gives theirs: once, and recorded in the run's folder."""

import json
import os
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.errors import DataError
from regnety.files.opening import read_file_text
from regnety.images.listing import list_images
from regnety.inference.predictor import Predictor
from regnety.progress import Progress
from regnety.storage.replacing import replacing
from regnety.training.run_folder import UNLABELLED_FILE, has_begun
from regnety.training.teacher import labels_of


def labelled_by(teacher: Bundle, folder: Path, run: Path, *, quiet: bool = False) -> tuple[tuple[Sample, ...], int]:
    """The photographs of a folder with the teacher's answers as labels, and how many could not be read.

    A run that is resumed keeps the labels that it began with.

    Args:
        teacher: its classes are those of the run.
        folder: photographs, in sub-folders too.
        run: the run's folder.
        quiet: show no progress.

    Raises:
        DataError: the folder has no photograph that can be read, or lacks one that the run began with.
    """
    record = run / UNLABELLED_FILE
    if has_begun(run) and not record.exists():
        raise DataError(f"{run}: the run began without unlabelled photographs; go on without, or start another run")
    if not record.exists():
        values = _answers(teacher, folder, quiet=quiet)
        with replacing(record) as beside:
            beside.write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    try:
        stored = json.loads(read_file_text(record))
        labels, unreadable = dict(stored["labels"]), len(stored["unreadable"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{record}: cannot be read: {error}; it has the labels that the teacher gave") from error
    for name in labels:
        if not (folder / name).exists():
            raise DataError(f"{folder}: lacks {name}, which the run began with; put it back, or start another run")
    return tuple(Sample(folder / name, label) for name, label in labels.items()), unreadable


def check_none_were_there(run: Path) -> None:
    """Refuse to go on without the photographs that a teacher has labelled for this run.

    Raises:
        DataError: the run began with some.
    """
    if has_begun(run) and (run / UNLABELLED_FILE).exists():
        raise DataError(f"{run}: the run began with unlabelled photographs; give their folder (--unlabelled) again")


def _answers(teacher: Bundle, folder: Path, *, quiet: bool) -> dict[str, Any]:
    if not folder.is_dir():
        raise DataError(f"{folder}: unlabelled photographs must be in a folder")
    predictor = Predictor(teacher)
    by_index = labels_of(teacher)
    labels: dict[str, str] = {}
    unreadable: list[str] = []
    with Progress("the teacher labels photographs", total=None, quiet=quiet) as progress:
        for answer in predictor.stream(list_images([folder], recursive=True), 1, on_error="record"):
            progress.advance()
            if answer.error is not None:
                unreadable.append(answer.error)
            elif answer.filename is not None:
                name = os.path.relpath(answer.filename, folder)
                labels[Path(name).as_posix()] = by_index[answer.predictions[0].index]
    if not labels:
        raise DataError(
            f"{folder}: has no photograph that can be read" + "".join(f"; {line}" for line in unreadable[:1])
        )
    return {"labels": labels, "unreadable": unreadable}
