"""`regnety eval`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.formats import ReportFormat


def evaluate(
    data: Annotated[Path, typer.Option(help="Image folder: class folders, or test/ or val/ with class folders.")],
    model: Annotated[str, typer.Option(help="A name or a bundle folder.")] = EMBEDDED_MODEL,
    split: Annotated[str | None, typer.Option(help="Split to take; else test, else val.")] = None,
    output_format: Annotated[
        ReportFormat, typer.Option("--format", help="How results are printed.")
    ] = ReportFormat.table,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure a model's accuracy on labelled photographs.

    Example:  regnety eval --data flowers/ --model runs/flowers/bundle
    """
    from regnety.bundle.bundle import Bundle
    from regnety.datasets.folders import read_evaluation_folder
    from regnety.inference.evaluation import evaluate as evaluate_bundle

    bundle = Bundle.load(model)
    result = evaluate_bundle(bundle, read_evaluation_folder(data, split), quiet=quiet)
    if output_format is ReportFormat.json:
        print(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        from regnety.cli.tables import print_table

        rows = [(name, str(of.count), f"{of.top1:.2f} %") for name, of in result.per_class.items()]
        print_table(("class", "images", "top1"), rows, right=("images", "top1"))
        print(
            f"\n{result.model}: top1 {result.top1:.2f} %, top5 {result.top5:.2f} %, "
            f"loss {result.loss:.4f} on {result.count} images"
        )
    for error in result.errors:
        print(f"regnety: {error}", file=sys.stderr)
    if result.errors:
        raise typer.Exit(1)
