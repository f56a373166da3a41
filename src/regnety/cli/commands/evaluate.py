"""`regnety eval`."""

from typing import TYPE_CHECKING, TextIO

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.options.run import run_options
from regnety.cli.options.shared import labels_option, model_option, quiet_option, state_dict_option
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.notices import say, say_notice
from regnety.cli.output.rows import RowOutput, listing_of, print_table
from regnety.text import counted, printable

if TYPE_CHECKING:
    from regnety.inference.evaluation_result import EvaluationResult
    from regnety.inference.options import RunFields

KINDS = {"class": "text", "count": "integer", "top1": "real"}


@click.command("eval")
@click.option(
    "--data",
    type=click.Path(),
    required=True,
    metavar="DATA",
    help="Folder of class folders, or of test/ or val/ with them; or a table of path,label (.csv).",
)
@model_option
@state_dict_option
@click.option(
    "--split",
    metavar="NAME",
    help="Split to measure on; by default test, else val, leaving out images it was trained on.",
)
@row_output_options
@run_options(None, shown="f32; int8 if quantized", pixels=False)
@labels_option
@quiet_option
def evaluate(
    data: str,
    model: str | None,
    state_dict: str | None,
    split: str | None,
    output_format: RowFormat | None,
    output: str | None,
    how: "RunFields",
    labels: str | None,
    quiet: bool,
) -> int:
    """Measure a model's accuracy on labelled photographs.

    Example:  regnety eval --data flowers/ --model runs/flowers/bundle
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import with_found_labels
    from regnety.datasets.data_sets import read_data_set
    from regnety.inference.evaluation import evaluate as evaluate_bundle

    written = RowOutput(output_format, output, quiet=quiet)
    bundle = Bundle.load(EMBEDDED_MODEL if model is None else model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        bundle = with_found_labels(bundle, labels)
    say_notice(bundle, quiet=quiet)
    data_set = read_data_set(data)
    samples = data_set.evaluation(split)
    for notice in () if quiet else data_set.notices:
        say(notice)
    # a split that is named is measured whole; otherwise images of the training must not flatter the model
    result = evaluate_bundle(bundle, samples, held_out_only=split is None, quiet=quiet, **how)
    rows = [{"class": name, "count": of.count, "top1": of.top1} for name, of in result.per_class.items()]
    whole = result.as_dict()
    written.write(listing_of(rows, KINDS, lambda stream: _print_table(result, stream), whole=whole))
    # table and JSON have the totals; the other formats only have the classes' rows
    if not written.is_table and written.format is not RowFormat.json and not quiet:
        say(_summary(result))
    if result.notice is not None and not quiet:
        say(result.notice)
    # the accuracy is that of the others; the status says that some are missing
    for error in result.errors:
        say(error)
    return int(bool(result.errors))


def _print_table(result: "EvaluationResult", stream: TextIO) -> None:
    rows = [(name, str(of.count), f"{of.top1:.2f} %") for name, of in result.per_class.items()]
    print_table(("class", "images", "top1"), rows, right=("images", "top1"), stream=stream)
    print(f"\n{printable(_summary(result))}", file=stream)


def _summary(result: "EvaluationResult") -> str:
    return (
        f"{result.model}: top1 {result.top1:.2f} %, top5 {result.top5:.2f} %, "
        f"loss {result.loss:.4f} on {counted(result.count, 'image')}"
    )
