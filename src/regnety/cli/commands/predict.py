"""`regnety predict`."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.options.images import (
    STANDARD_INPUT,
    ImageList,
    from_option,
    named_images,
    refuse_as_output,
    silence_decoders,
)
from regnety.cli.options.run import run_options
from regnety.cli.options.shared import (
    labels_option,
    model_option,
    quiet_option,
    recursive_option,
    resume_option,
    state_dict_option,
)
from regnety.cli.output.claiming import claim, is_stream, say_replaced
from regnety.cli.output.formats import RowFormat, row_format, row_output_options
from regnety.cli.output.notices import EngineNotice, say_notice
from regnety.notices import say
from regnety.text import printable

if TYPE_CHECKING:
    from typing import TypeAlias

    from regnety.bundle.bundle import Bundle
    from regnety.inference.cluster.ray_predictor import RayPredictor
    from regnety.inference.jobs.rows import PredictionRows
    from regnety.inference.options import RunFields
    from regnety.inference.predictor import Prediction, Predictor

    AnyPredictor: TypeAlias = Predictor | RayPredictor


@click.command()
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=click.Path())
@from_option
@model_option
@state_dict_option
@click.option("--top-k", type=click.IntRange(1), default=5, metavar="NUMBER", help="Classes shown for each image.")
@click.option(
    "--min-probability",
    type=click.FloatRange(0.0, 1.0),
    default=0.0,
    metavar="PROBABILITY",
    help="Hide classes below this probability.",
)
@recursive_option
@row_output_options
@resume_option
@click.option(
    "--wide",
    is_flag=True,
    help="One row per image in CSV and Parquet: filename, label_1, prob_1, ..., error.",
)
@run_options("auto")
@labels_option
@click.option(
    "--ray",
    metavar="CLUSTER",
    help="Run on a Ray cluster: local (starts one), auto (one that runs) or HOST:PORT.",
)
@click.option(
    "--ray-workers",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Ray processes, each with --workers threads; by default as many as fit.",
)
@quiet_option
def predict(
    images: tuple[str, ...],
    lists: tuple[str, ...],
    model: str | None,
    state_dict: str | None,
    top_k: int,
    min_probability: float,
    recursive: bool,
    output: str | None,
    resume: bool,
    output_format: RowFormat | None,
    wide: bool,
    how: "RunFields",
    labels: str | None,
    ray: str | None,
    ray_workers: int | None,
    quiet: bool,
) -> int:
    """Classify photographs: files, folders, addresses, or - (stdin).

    An address begins with http://, https://, or the scheme of a store, such as s3://.

    Example:  regnety predict photo.jpg holiday/ --top-k 3 --format json
    """
    if min_probability != min_probability:  # nan: click's range takes it, as no comparison with it is true
        raise click.BadParameter("nan is not a probability", param_hint="'--min-probability'")
    if output == STANDARD_INPUT:  # as an output, - is stdout
        output = None
    chosen_format = row_format(output_format, output)
    if wide and chosen_format not in (RowFormat.csv, RowFormat.parquet):
        raise click.UsageError("--wide needs --format csv, or an --output of .csv or .parquet")
    is_job = _is_job(chosen_format, output)
    if resume and not is_job:
        raise click.UsageError("--resume needs an --output of .jsonl, .csv or .parquet")
    if ray_workers is not None and ray is None:
        raise click.UsageError("--ray-workers needs --ray")
    # claimed before the model is loaded, so that nobody waits for an output that cannot be written
    place = None
    if output is not None and (is_job or not is_stream(output)):
        place = claim(output, resume=resume, check=lambda: refuse_as_output(output, [*images, *lists]))
    from regnety.bundle.bundle import Bundle

    silence_decoders()
    predictor = _predictor(
        Bundle.load(DEFAULT_MODEL if model is None else model, quiet=quiet, state_dict=state_dict),
        ray,
        ray_workers,
        quiet,
        labels=labels,
        **how,
    )
    sources = named_images(images, lists, recursive=recursive, stdin=True)
    if not quiet:
        _print_notices(predictor, model)
        if how["use_test_size"] and predictor.bundle.preprocessing.test_image_size is None:
            say(f"{predictor.bundle.name} has no larger test size; using its own")
    say_replaced(place, quiet=quiet)
    if is_job:
        from regnety.cli.batch_job import run_batch_job
        from regnety.inference.jobs.predictions import write_predictions

        assert place is not None
        write = partial(
            write_predictions,
            predictor,
            sources,
            place,
            top_k=top_k,
            min_probability=min_probability,
            row_format=chosen_format.value,
            wide=wide,
            resume=resume,
        )
        failed = run_batch_job(write, predictor, place.name, description="predict", total=len(sources), quiet=quiet)
    else:
        rows = None
        if chosen_format is RowFormat.csv:
            from regnety.inference.jobs.rows import prediction_rows

            rows = prediction_rows(top_k, predictor.bundle.metadata.num_classes, wide=wide)
        answers = predictor.stream(sources, top_k, min_probability=min_probability, on_error="record")
        failed = _write(predictor, answers, sources, rows, chosen_format, output, quiet)
    return int(failed)


def _predictor(
    bundle: "Bundle", ray: str | None, ray_workers: int | None, quiet: bool, **options: Any
) -> "AnyPredictor":
    """A predictor on this machine, or on the cluster that --ray names."""
    if ray is None:
        from regnety.inference.predictor import Predictor

        return Predictor(bundle, **options)
    from regnety.inference.cluster.ray_predictor import RayPredictor

    predictor = RayPredictor(bundle, address=ray, ray_workers=ray_workers, **options)
    click.get_current_context().call_on_close(predictor.close)  # a cluster that was started here ends with the command
    if not quiet:
        say(predictor.describe())
    return predictor


def _is_job(output_format: RowFormat, output: str | None) -> bool:
    """Whether it is a batch job, which can be resumed: rows in a file. A JSON list, a device and a pipe are no job.

    Raises:
        UsageError: the format cannot be written there.
    """
    address = output is not None and "://" in output
    rows = output_format in (RowFormat.jsonl, RowFormat.csv, RowFormat.parquet)
    if address and not rows:
        raise click.UsageError(f"{output}: an address takes .jsonl, .csv and .parquet, not {output_format}")
    if output is None or not rows:
        return False
    # a folder counts as one, too: the job refuses it in one line
    if address or not os.path.exists(output) or os.path.isfile(output) or os.path.isdir(output):
        return True
    if output_format is RowFormat.parquet:
        raise click.UsageError(f"{output}: is a device or a pipe; parquet needs a file")
    return False


def _write(
    predictor: "AnyPredictor",
    answers: "Iterator[Prediction]",
    sources: ImageList,
    rows: "PredictionRows | None",
    output_format: RowFormat,
    output: str | None,
    quiet: bool,
) -> bool:
    """Print each answer as it comes. Returns whether any image had none."""
    from regnety.cli.output.predictions import make_writer, output_stream
    from regnety.images.sources import source_name

    failed, notice = False, EngineNotice(predictor, quiet=quiet)
    # a generator: only a table goes through all names, for the width of its first column
    names = (source_name(source) or "" for source in sources)
    with output_stream(None if output is None else Path(output)) as stream:
        writer = make_writer(output_format, stream, names, predictor.bundle.labels, rows)
        try:
            # closed at once, and before the writer ends, when Ctrl-C or a reader that has gone ends the loop: else the
            # threads of the model would work on
            with closing(answers) as predictions:  # type: ignore[type-var]
                for prediction in predictions:
                    notice.say(answered=prediction.error is None)
                    writer.write(prediction)
                    if prediction.error is not None:
                        failed = True
                        if output_format is RowFormat.table or output is not None:  # else it stands among the rows
                            print(f"regnety: {printable(prediction.error)}", file=sys.stderr)
        finally:
            writer.end()
    return failed


def _print_notices(predictor: "AnyPredictor", model: str | None) -> None:
    bundle = predictor.bundle
    if model is None and bundle.labels is not None:
        known = f"no --model given; using {DEFAULT_MODEL}, which knows {len(bundle.labels)} everyday classes"
        say(f"{known}. For ImageNet's 1,000 classes use --model regnety_040 (`regnety models` lists all).")
    say_notice(bundle)
    if bundle.labels is None:
        say(f"{bundle.name} has no class names, so indexes are shown; see --labels")
