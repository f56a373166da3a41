"""`regnety predict`."""

import csv
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.formats import RowFormat

if TYPE_CHECKING:
    from regnety.inference.predictor import Prediction


def predict(
    images: Annotated[list[str], typer.Argument(help="Image files: JPEG, PNG, WebP.", metavar="IMAGE")],
    model: Annotated[str | None, typer.Option(help="A name or a bundle folder.")] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Classes in each answer.")] = 5,
    output_format: Annotated[RowFormat, typer.Option("--format", help="How results are printed.")] = RowFormat.table,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notices.")] = False,
) -> None:
    """Classify photographs.

    Example:  regnety predict photo.jpg more.png --top-k 3 --format json
    """
    from regnety.inference.predictor import Predictor

    predictor = Predictor(model or EMBEDDED_MODEL)
    labels = predictor.bundle.labels
    if not quiet and model is None and labels is not None:
        print(
            f"regnety: no --model named; {EMBEDDED_MODEL} knows {', '.join(labels)}. "
            "For ImageNet's classes, name a bundle folder with such weights.",
            file=sys.stderr,
        )
    if not quiet and labels is None:
        print(f"regnety: {predictor.bundle.name} brings no class names; the index is shown", file=sys.stderr)
    predictions = predictor.predict(images, top_k, on_error="record")
    _print(predictions, output_format)
    errors = [prediction.error for prediction in predictions if prediction.error is not None]
    if output_format is RowFormat.table:
        for error in errors:
            print(f"regnety: {error}", file=sys.stderr)
    if errors:
        raise typer.Exit(1)


def _print(predictions: list["Prediction"], output_format: RowFormat) -> None:
    if output_format is RowFormat.json:
        print(json.dumps([prediction.as_dict() for prediction in predictions], indent=2, ensure_ascii=False))
    elif output_format is RowFormat.jsonl:
        for prediction in predictions:
            print(json.dumps(prediction.as_dict(), ensure_ascii=False))
    elif output_format is RowFormat.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["filename", "rank", "index", "label", "prob", "error"])
        for prediction in predictions:
            writer.writerows(_csv_rows(prediction))
    else:
        _print_table(predictions)


def _csv_rows(prediction: "Prediction") -> list[list[object]]:
    if prediction.error is not None:
        return [[prediction.filename, "", "", "", "", prediction.error]]
    return [
        [prediction.filename, rank, entry.index, entry.label or "", entry.prob, ""]
        for rank, entry in enumerate(prediction.predictions, start=1)
    ]


def _print_table(predictions: list["Prediction"]) -> None:
    from regnety.cli.tables import print_table

    rows = [
        (
            str(prediction.filename) if rank == 0 else "",
            str(entry.index) if entry.label is None else entry.label,
            f"{100 * entry.prob:.1f} %",
        )
        for prediction in predictions
        for rank, entry in enumerate(prediction.predictions)
    ]
    if rows:
        print_table(("image", "class", "probability"), rows, right=("probability",))
