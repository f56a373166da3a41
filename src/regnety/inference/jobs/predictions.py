"""`write_predictions`: the classes of any number of images as rows of a file, written by a job that can be resumed."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regnety.bundle.bundle import Bundle
from regnety.errors import JobError
from regnety.images.sources import ImageSource
from regnety.inference.jobs.job import Job, JobSummary, run_job
from regnety.inference.jobs.places import Place
from regnety.inference.jobs.row_files import ROW_FORMATS
from regnety.inference.jobs.rows import prediction_rows
from regnety.inference.predictor import Prediction, Predictor, check_question

if TYPE_CHECKING:
    from regnety.inference.cluster.ray_predictor import RayPredictor


def write_predictions(
    model: "Predictor | RayPredictor | Bundle | str | Path",
    images: Iterable[ImageSource] | ImageSource,
    output: str | Path | Place,
    *,
    top_k: int = 5,
    min_probability: float = 0.0,
    row_format: str | None = None,
    wide: bool = False,
    resume: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_record: Callable[[Prediction], None] | None = None,
) -> JobSummary:
    """Classify images and write a file of rows, which appears once all are done.

        summary = write_predictions("regnety_040", list_of_paths, "labels.parquet", top_k=3, resume=True)

    Rows are kept in parts beside the output as they come; after an interruption or a kill `resume` continues there.

    Args:
        model: a predictor, or whatever a model may be (`Bundle.load`).
        images: paths or addresses; any number, read one at a time; or a single one.
        output: a path, or an address that fsspec reaches.
        top_k: number of classes for each image.
        min_probability: classes below it are left out.
        row_format: csv, jsonl or parquet; None is what the suffix of the output says.
        wide: one row for each image, as in a spreadsheet; CSV and Parquet only.
        resume: continue what was interrupted: images that have rows are skipped.
        on_start: called before the first image with the number of those that have rows already.
        on_record: called with each answer.

    Returns:
        How many images have rows, and how many of them could not be read. An image that cannot be read has a row with
        its error, and stops nothing.

    Raises:
        JobError: there is an unfinished job and `resume` is not set, or it has other settings; with `resume`, the
            finished output lacks some of the images or has other settings; another process is writing the output, or it
            cannot be written, or its suffix names no format.
        MissingExtraError: pyarrow for Parquet, or fsspec for an address, is not installed.
        ValueError: as `Predictor.predict`, or `wide` is set for JSON lines.
    """
    check_question(top_k, min_probability, "record")
    # all that can be wrong with the arguments is said before a model is loaded
    row_format = row_format or _format_of(output)
    if row_format not in ROW_FORMATS:
        raise ValueError(f"row_format must be one of {', '.join(ROW_FORMATS)}, got {row_format!r}")
    if wide and row_format == "jsonl":
        raise ValueError("wide rows are for csv and parquet")
    predictor = Predictor(model) if isinstance(model, Bundle | str | Path) else model
    job = Job(
        answer=lambda waiting, count: predictor.stream(
            waiting, top_k, min_probability=min_probability, on_error="record", count=count
        ),
        rows=prediction_rows(top_k, predictor.bundle.metadata.num_classes, wide=wide),
        row_format=row_format,
        settings={
            **_model_settings(predictor),
            "top_k": top_k,
            "min_probability": min_probability,
            # only where it is set: jobs that began before there was such an option are resumed
            **({"wide": True} if wide else {}),
        },
        about={"model": predictor.bundle.name},
        model=predictor,
    )
    return run_job(job, images, output, resume=resume, on_start=on_start, on_record=on_record)


def _format_of(output: str | Path | Place) -> str:
    name = str(output) if isinstance(output, str | Path) else output.name
    suffix = name.lower().rpartition(".")[2]
    if suffix not in ROW_FORMATS:
        raise JobError(f"{name}: name it {', '.join(f'.{each}' for each in ROW_FORMATS)}, or pass row_format")
    return suffix


def _model_settings(predictor: "Predictor | RayPredictor") -> dict[str, Any]:
    """What decides a row. Threads may change between two runs of a job; its engine is kept by `keep_engine`."""
    bundle, options = predictor.bundle, predictor.options
    preprocessing = bundle.preprocessing.as_dict()
    labels = None if bundle.labels is None else json.dumps(bundle.labels).encode("ascii")
    return {
        "weights": bundle.fingerprint(),
        **{name: preprocessing[name] for name in ("image_size", "crop_pct", "interpolation", "mean", "std")},
        # a hash, as thousands of names would stand in the metadata of every Parquet file
        "labels": None if labels is None else hashlib.sha256(labels).hexdigest(),
        "pixels": options.pixel_way,
        "exif_orientation": options.is_turned_upright,
        "max_pixels": options.max_pixels,
    }
