"""`regnety train`."""

import os
import sys
from pathlib import Path

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.main import Terminated, terminated_as
from regnety.cli.options.images import silence_decoders
from regnety.cli.options.shared import data_option, folder_option, model_option, quiet_option
from regnety.cli.options.training import (
    command_line,
    device_option,
    no_report_option,
    settings_option,
    skip_unreadable_option,
    val_data_option,
)
from regnety.cli.output.notices import list_unreadable
from regnety.extras import import_extra
from regnety.notices import say


@click.command()
@data_option("Folder of class folders, or of train/, val/ and test/ with them; a table of path,label; shards; Parquet.")
@val_data_option
@folder_option("Folder for the run: metrics, checkpoints and bundle.")
@model_option
@click.option("--design", metavar="DESIGN", help="Train a design from scratch: its fields, as for `describe`.")
@click.option("--recipe", metavar="NAME|FILE", help="A recipe (`regnety recipes` lists them), or a YAML file.")
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an interrupted run; start one if there is none. With more --epochs, extend a finished one.",
)
@click.option("--seed", type=int, metavar="NUMBER", help="Random seed; by default the recipe's, else 0.")
@click.option("--epochs", type=int, metavar="NUMBER", help="Epochs to train, instead of the recipe's.")
@click.option("--lr", type=float, metavar="NUMBER", help="Learning rate, instead of the recipe's.")
@click.option("--batch-size", type=int, metavar="NUMBER", help="Images per step, instead of the recipe's.")
@settings_option("image_size=160, optimizer.momentum=0.8")
@device_option("Where to train; auto is a graphics card where torch finds one.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the network first: a minute, then faster steps.")
@click.option("--ray", metavar="CLUSTER", help="Train on a Ray cluster: local (starts one), auto or HOST:PORT.")
@click.option("--ray-workers", metavar="NUMBER|MIN:MAX", help="Ray processes; by default as many as fit.")
@click.option(
    "--gpus-per-worker", type=click.FloatRange(0), default=0, metavar="NUMBER", help="Graphics cards of each of them."
)
@click.option("--teacher", metavar="MODEL", help="A larger model with the same classes, whose answers are learnt too.")
@click.option("--unlabelled", metavar="FOLDER", help="More photographs to train on, which the teacher labels.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard's files to tensorboard/ in the run's folder.")
@click.option("--mlflow", metavar="ADDRESS", help="MLflow server, or its folder, that gets the values of each epoch.")
@no_report_option
@click.option("--keep", type=click.IntRange(1), default=2, metavar="NUMBER", help="Number of checkpoints to keep.")
@skip_unreadable_option
@quiet_option
def train(
    data: str,
    val_data: str | None,
    output: Path,
    model: str | None,
    design: str | None,
    recipe: str | None,
    resume: bool,
    seed: int | None,
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    device: str,
    compiled: bool,
    ray: str | None,
    ray_workers: str | None,
    gpus_per_worker: float,
    teacher: str | None,
    unlabelled: str | None,
    tensorboard: bool,
    mlflow: str | None,
    no_report: bool,
    keep: int,
    skip_unreadable: bool,
    quiet: bool,
) -> None:
    """Train or fine-tune a model on a folder of photographs.

    The folder has one folder per class, named after it.

    Example:  regnety train --data flowers/ --output runs/flowers --epochs 10
    """
    silence_decoders()
    if ray is None and (ray_workers is not None or gpus_per_worker):
        raise click.UsageError(f"{'--gpus-per-worker' if ray_workers is None else '--ray-workers'} needs --ray")
    numbers = None if ray_workers is None else _fewest_and_most(ray_workers)
    try:
        with terminated_as(Terminated):
            # within: importing torch takes seconds, in which SIGTERM may come
            import_extra("torch", feature="training", extra="torch")
            from regnety.datasets.unreadable import UnreadablePicturesError
            from regnety.text import counted
            from regnety.training.distribution.workers import AnotherWorkerEndedError
            from regnety.training.run import train as run_training
            from regnety.training.run_folder import has_begun
            from regnety.training.selection import select_recipe

            chosen = select_recipe(
                output,
                model=model,
                design=design,
                recipe=recipe,
                settings=settings,
                options={
                    "seed": seed,
                    "epochs": epochs,
                    "optimizer.lr": lr,
                    "batch_size": batch_size,
                    "teacher": teacher,
                },
                resume=resume,
            )
            if chosen.model == DEFAULT_MODEL and model is None and not quiet and not has_begun(output):
                say(f"no --model given; fine-tuning {DEFAULT_MODEL}; regnety finetune is faster")
            has_own_rate = lr is not None or any(setting.startswith("optimizer.lr=") for setting in settings)
            if chosen.name == "paper" and batch_size is not None and not has_own_rate and not quiet:
                say(f"the recipe paper has a rate of 0.1 for each 128 pictures of a batch: --lr {batch_size / 1280:g}")
            try:
                result = run_training(
                    data,
                    output,
                    chosen,
                    val_data=val_data,
                    resume=resume,
                    keep=keep,
                    device=device,
                    compiled=compiled,
                    ray=ray,
                    ray_workers=numbers,
                    gpus_per_worker=gpus_per_worker,
                    unlabelled=unlabelled,
                    tensorboard=tensorboard,
                    mlflow=mlflow,
                    report=not no_report,
                    skip_unreadable=skip_unreadable,
                    quiet=quiet,
                    command=command_line(),
                )
            except AnotherWorkerEndedError as error:
                # one that fails says why itself; one that is killed, or a network that fails, leaves it to the first
                if _speaks():
                    say(str(error))
                sys.exit(1)
            except UnreadablePicturesError as error:
                # before the error's own line, which is the last that is read
                list_unreadable(error.errors)
                raise
    except KeyboardInterrupt:
        if _speaks():
            say("stopped; --resume continues after the last finished epoch")
        raise  # `main` makes the exit status of it: 130, or 143 after SIGTERM
    scores = [
        f"{split} top1 {top1:.2f} %"
        for split, top1 in (("val", result.val_top1), ("test", result.test_top1))
        if top1 is not None
    ]
    if not _speaks():
        return
    # stdout has the result alone: progress and notices are on stderr
    print(f"{result.bundle}: {', '.join([*scores, counted(result.epochs, 'epoch')])}, {result.minutes:.1f} minutes")


def _speaks() -> bool:
    """Under torchrun the first process does."""
    return os.environ.get("RANK", "0") == "0"


def _fewest_and_most(text: str) -> tuple[int, int]:
    """4 is (4, 4), 4:16 is (4, 16)."""
    parts = text.split(":")
    if len(parts) <= 2 and all(part.isdecimal() for part in parts):
        fewest, most = int(parts[0]), int(parts[-1])
        if 1 <= fewest <= most:
            return fewest, most
    raise click.UsageError(f"--ray-workers takes a number or MIN:MAX, as 4 or 4:16; got {text!r}")
