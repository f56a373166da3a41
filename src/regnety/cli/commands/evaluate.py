"""`regnety eval`."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.options.run import run_options
from regnety.cli.options.shared import data_option, labels_option, model_option, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim, claim_page, say_replaced
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.notices import say_notice
from regnety.cli.output.rows import Listing, RowOutput, listing_of, print_table
from regnety.files.file_names import FINETUNE_FILE, RECIPE_FILE
from regnety.notices import say
from regnety.text import counted, printable

if TYPE_CHECKING:
    from regnety.inference.evaluation_result import EvaluationResult, PublishedAccuracy
    from regnety.inference.jobs.places import Place
    from regnety.inference.options import RunFields

CLASS_KINDS = {"class": "text", "count": "integer", "top1": "real"}
IMAGE_KINDS = {
    "filename": "text",
    "true_label": "text",
    "label": "text",
    "prob": "real",
    "correct": "flag",
    "error": "text",
}
RUN_FILES = (RECIPE_FILE, FINETUNE_FILE)
ROWS = (RowFormat.csv, RowFormat.jsonl, RowFormat.parquet)


@click.command("eval")
@data_option("Folder of class folders, or of test/ or val/ with them; a table of path,label; shards; Parquet.")
@click.option(
    "--labels-file",
    type=click.Path(),
    metavar="FILE",
    help="For a folder of images alone, their classes: a line `name class` for each, or LOC_val_solution.csv.",
)
@model_option
@state_dict_option
@click.option(
    "--split",
    metavar="NAME",
    help="Split to measure on; by default test, else val, leaving out images it was trained on.",
)
@row_output_options
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a report here, as .html: intervals, confusions, mistakes with class maps, calibration.",
)
@run_options(None, shown="f32; int8 if quantized", pixels=False)
@labels_option
@quiet_option
def evaluate(
    data: str,
    labels_file: str | None,
    model: str | None,
    state_dict: str | None,
    split: str | None,
    output_format: RowFormat | None,
    output: str | None,
    report: Path | None,
    how: "RunFields",
    labels: str | None,
    quiet: bool,
) -> int:
    """Measure a model's accuracy on labelled photographs.

    An --output of .csv, .jsonl or .parquet has a row for each photograph: its class, the answer and its probability.
    On stdout these formats have a row for each class.

    Example:  regnety eval --data flowers/ --model runs/flowers/bundle
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import with_found_labels
    from regnety.datasets.data_sets import read_data_set
    from regnety.inference.evaluation import evaluate as evaluate_bundle

    written = RowOutput(output_format, output, quiet=quiet)
    report_place = None if report is None else claim_page(report)
    kept_place = None if report is None else _claim_kept(report)
    bundle = Bundle.load(DEFAULT_MODEL if model is None else model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        bundle = with_found_labels(bundle, labels)
    say_notice(bundle, quiet=quiet)
    data_set = read_data_set(data, labels_file=labels_file, quiet=quiet)
    samples = data_set.evaluation(split)
    for notice in () if quiet else data_set.notices:
        say(notice)
    begin = time.perf_counter()
    result = evaluate_bundle(
        bundle,
        samples,
        # a split that is named is measured whole; otherwise images of the training must not flatter the model
        held_out_only=split is None,
        probabilities=report is not None,
        quiet=quiet,
        **how,
    )
    seconds = time.perf_counter() - begin
    written.write(_listing(result, of_images=not written.is_printed and written.format in ROWS))
    # table and JSON have the totals; the other formats only have the classes' rows
    if not written.is_table and written.format is not RowFormat.json and not quiet:
        say(_summary(result))
        if result.published is not None:
            say(_beside_published(result.published, result))
    if result.notice is not None and not quiet:
        say(result.notice)
    if report is not None:
        from regnety.reports.evaluation_report import evaluation_content
        from regnety.reports.report import write_report
        from regnety.reports.stored_content import save_content

        say_replaced(report_place, quiet=quiet)
        say_replaced(kept_place, quiet=quiet)
        command = shlex.join(["regnety", *sys.argv[1:]])
        shown = evaluation_content(
            result, bundle, samples, split=data_set.evaluated(split), seconds=seconds, command=command, **how
        )
        kept = report.with_suffix(".npz")
        write_report(report, shown)
        save_content(kept, shown)  # `report --beside` sets it beside another
        if not quiet:
            say(f"wrote {report}, and what it is made from: {kept}")
    # the accuracy is that of the others; the status says that some are missing
    for error in result.errors:
        say(error)
    return int(bool(result.errors))


def _claim_kept(report: Path) -> "Place":
    """The place of what a report is made from, beside it.

    Raises:
        UsageError: it is that of a run's own report.
    """
    if report.name == "report.html" and any((report.parent / name).exists() for name in RUN_FILES):
        raise click.UsageError(
            f"{report}: is the report of a run, made from more than an evaluation; name another page"
        )
    return claim(report.with_suffix(".npz"))


def _listing(result: "EvaluationResult", *, of_images: bool) -> Listing:
    rows: list[dict[str, Any]]
    if of_images:
        rows, kinds = [image.as_dict() for image in result.images()], IMAGE_KINDS
    else:
        rows = [{"class": name, "count": of.count, "top1": of.top1} for name, of in result.per_class.items()]
        kinds = CLASS_KINDS
    return listing_of(rows, kinds, lambda stream: _print_table(result, stream), whole=result.as_dict())


def _print_table(result: "EvaluationResult", stream: TextIO) -> None:
    rows = [(name, str(of.count), f"{of.top1:.2f} %") for name, of in result.per_class.items()]
    print_table(("class", "images", "top1"), rows, right=("images", "top1"), stream=stream)
    print(f"\n{printable(_summary(result))}", file=stream)
    if result.published is not None:
        print(printable(_beside_published(result.published, result)), file=stream)


def _summary(result: "EvaluationResult") -> str:
    return (
        f"{result.model}: top1 {result.top1:.2f} %, top5 {result.top5:.2f} %, "
        f"loss {result.loss:.4f} on {counted(result.count, 'image')}"
    )


def _beside_published(published: "PublishedAccuracy", result: "EvaluationResult") -> str:
    figures = (
        f"{name} {of_all:.3f} %, measured {measured:.3f} %, difference {difference:+.3f}"
        for name, of_all, measured, difference in (
            ("top1", published.top1, result.top1, published.top1_difference),
            ("top5", published.top5, result.top5, published.top5_difference),
        )
    )
    return (
        f"published of {published.weights} on ImageNet's 50,000 at {published.image_size} pixels and crop "
        f"{published.crop_pct:g}: {'; '.join(figures)}"
    )
