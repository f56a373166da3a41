"""`regnety eval`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.formats import ReportFormat
from regnety.cli.options import (
    CropPctOption,
    EngineName,
    EngineOption,
    ImageSizeOption,
    ModelOption,
    PrecisionName,
    PrecisionOption,
    QuietOption,
    TestSizeOption,
    check_sizes,
)


def evaluate(
    data: Annotated[Path, typer.Option(help="Image folder: class folders, or test/ or val/ with class folders.")],
    model: ModelOption = None,
    split: Annotated[str | None, typer.Option(help="Split to take; else test, else val.")] = None,
    output_format: Annotated[
        ReportFormat, typer.Option("--format", help="How results are printed.")
    ] = ReportFormat.table,
    engine: EngineOption = EngineName.auto,
    precision: PrecisionOption = PrecisionName.f32,
    image_size: ImageSizeOption = None,
    crop_pct: CropPctOption = None,
    test_size: TestSizeOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure a model's accuracy on labelled photographs.

    Example:  regnety eval --data flowers/ --model runs/flowers/bundle
    """
    from regnety.bundle.bundle import Bundle
    from regnety.datasets.folders import read_evaluation_folder
    from regnety.inference.evaluation import evaluate as evaluate_bundle

    check_sizes(image_size, test_size)
    bundle = Bundle.load(model or EMBEDDED_MODEL)
    result = evaluate_bundle(
        bundle,
        read_evaluation_folder(data, split),
        engine=engine,
        precision=precision,
        image_size=image_size,
        crop_pct=crop_pct,
        use_test_size=test_size,
        quiet=quiet,
    )
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
