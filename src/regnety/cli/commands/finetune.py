"""`regnety finetune`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.main import Terminated, terminated_as
from regnety.cli.options.durations import DurationType
from regnety.cli.options.images import silence_decoders
from regnety.cli.options.shared import (
    engine_option,
    folder_option,
    max_pixels_option,
    model_option,
    precision_option,
    quiet_option,
    workers_option,
)
from regnety.cli.options.training import command_line, no_report_option, skip_unreadable_option, val_data_option
from regnety.cli.output.formats import ReportFormat, report_format_option
from regnety.notices import say
from regnety.text import counted

if TYPE_CHECKING:
    from regnety.finetuning.result import FinetuneResult
    from regnety.inference.options import RunFields


@click.command()
@click.argument("data", metavar="DATA", type=click.Path())
@val_data_option
@folder_option("Folder for the run: bundle/, mistakes.csv and report.html.")
@model_option
@click.option("--all-layers", is_flag=True, help="Then fit every layer from there on; needs PyTorch.")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=DurationType(),
    metavar="90s|10m|2h",
    help="Time that the whole command may take with --all-layers; what fits is planned.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="NUMBER", help="Epochs over all layers; 20 by default.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="End all layers early after so many epochs without a better one.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --output; start one if there is none.")
@click.option("--seed", type=int, default=0, metavar="NUMBER", help="Random seed.")
@click.option(
    "--class-weights",
    type=click.Choice(["balanced"]),
    help="Count every class the same, however many photographs it has.",
)
@click.option(
    "--image-size",
    type=click.IntRange(1, 8192),  # bounded: a typing error must not take all memory
    metavar="PIXELS",
    help="Input height and width; by default what suits the model and the photographs.",
)
@engine_option
@precision_option("auto")
@workers_option
@max_pixels_option
@skip_unreadable_option
@no_report_option
@report_format_option
@quiet_option
def finetune(
    data: str,
    val_data: str | None,
    output: Path,
    model: str | None,
    all_layers: bool,
    time_limit_s: float | None,
    epochs: int | None,
    patience: int | None,
    resume: bool,
    seed: int,
    class_weights: str | None,
    image_size: int | None,
    engine: str,
    precision: str,
    workers: int | None,
    max_pixels: int,
    skip_unreadable: bool,
    no_report: bool,
    output_format: str,
    quiet: bool,
) -> None:
    """Fit a classifier of your own to labelled photographs.

    DATA is a folder with one folder per class, or with train/, val/ and test/; a table of path and label (.csv,
    .parquet); or tar shards. A classifier is fitted to the model's embeddings in seconds, without PyTorch;
    --all-layers then trains the whole network from there.

    Example:  regnety finetune photos/ -o runs/birds
    """
    silence_decoders()
    how: RunFields = {
        "engine": engine,
        "precision": precision,
        "workers": workers,
        "max_pixels": max_pixels,
        "image_size": image_size,
    }
    try:
        with terminated_as(Terminated):
            # within: the imports take a second, in which SIGTERM may come
            from regnety.finetuning.run import finetune as run_finetuning

            if model is None and not quiet:
                say(f"no --model given; starting from {DEFAULT_MODEL}")
            result = run_finetuning(
                data,
                output,
                val_data=val_data,
                model=DEFAULT_MODEL if model is None else model,
                all_layers=all_layers,
                time_limit_s=time_limit_s,
                epochs=epochs,
                patience=patience,
                class_weights=class_weights,  # type: ignore[arg-type]  # click has checked it
                seed=seed,
                resume=resume,
                skip_unreadable=skip_unreadable,
                report=not no_report,
                quiet=quiet,
                command=command_line(),
                **how,
            )
    except KeyboardInterrupt:
        say("stopped; --resume continues")
        raise  # `main` makes the exit status of it: 130, or 143 after SIGTERM
    # stdout has the result alone: progress and notices are on stderr
    print(json.dumps(result.as_dict(), indent=2) if output_format == ReportFormat.json else _line(result))


def _line(result: "FinetuneResult") -> str:
    scores = [f"val top1 {result.val_top1:.2f} %"]
    if result.test_top1 is not None:
        scores.append(f"test top1 {result.test_top1:.2f} %")
    if result.epochs is not None:
        scores.append(counted(result.epochs, "epoch"))
    return f"{result.bundle}: {', '.join(scores)}, {result.seconds:.1f} s"
