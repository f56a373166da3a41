"""`regnety eval`."""

import json
from pathlib import Path

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.formats import ReportFormat, report_format_option
from regnety.cli.notices import say, say_notice
from regnety.cli.options import (
    check_sizes,
    crop_pct_option,
    engine_option,
    image_size_option,
    interpolation_option,
    labels_option,
    mean_option,
    model_option,
    precision_option,
    quiet_option,
    state_dict_option,
    std_option,
    test_size_option,
    workers_option,
)


@click.command("eval")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Image folder: class folders, or test/ or val/ with class folders.",
)
@model_option
@state_dict_option
@click.option(
    "--split",
    metavar="NAME",
    help="Split to take, all of it; else test, else val, without what the model was trained on.",
)
@report_format_option
@engine_option
@precision_option(None, shown="f32, or int8 if the model is quantized")
@workers_option
@image_size_option
@crop_pct_option
@test_size_option
@mean_option
@std_option
@interpolation_option
@labels_option
@quiet_option
def evaluate(
    data: Path,
    model: str | None,
    state_dict: str | None,
    split: str | None,
    output_format: ReportFormat,
    engine: str,
    precision: str | None,
    workers: int | None,
    image_size: int | None,
    crop_pct: float | None,
    test_size: bool,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    interpolation: str | None,
    labels: str | None,
    quiet: bool,
) -> None:
    """Measure a model's accuracy on labelled photographs.

    Example:  regnety eval --data flowers/ --model runs/flowers/bundle
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import find_labels
    from regnety.datasets.folders import read_evaluation_folder
    from regnety.inference.evaluation import evaluate as evaluate_bundle

    check_sizes(image_size, test_size)
    bundle = Bundle.load(EMBEDDED_MODEL if model is None else model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        bundle = bundle.with_labels(find_labels(labels))
    say_notice(bundle, quiet=quiet)
    result = evaluate_bundle(
        bundle,
        read_evaluation_folder(data, split),
        held_out_only=split is None,
        engine=engine,
        precision=precision,
        image_size=image_size,
        crop_pct=crop_pct,
        use_test_size=test_size,
        mean=mean,
        std=std,
        interpolation=interpolation,
        workers=workers,
        quiet=quiet,
    )
    if output_format is ReportFormat.json:
        print(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        from regnety.cli.tables import print_table
        from regnety.cli.terminal import printable

        rows = [(name, str(of.count), f"{of.top1:.2f} %") for name, of in result.per_class.items()]
        print_table(("class", "images", "top1"), rows, right=("images", "top1"))
        print(
            f"\n{printable(result.model)}: top1 {result.top1:.2f} %, top5 {result.top5:.2f} %, "
            f"loss {result.loss:.4f} on {result.count} images"
        )
    if result.notice is not None and not quiet:
        say(result.notice)
    for error in result.errors:
        say(error)
    if result.errors:
        click.get_current_context().exit(1)
