"""`regnety train`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.interruption import Terminated, terminated_as
from regnety.cli.options.images import silence_decoders
from regnety.cli.options.shared import model_option, quiet_option
from regnety.extras import import_extra
from regnety.text import printable

LISTED_ERRORS = 20
"""Pictures that cannot be read and are named."""


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Image folder: train/ (and val/, test/), or class folders alone.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Folder of the run: metrics, checkpoints, bundle.",
)
@model_option
@click.option(
    "--design", metavar="DESIGN", help="Design to train from scratch: depth=13,w0=24,wa=36.44,wm=2.49,group_width=8"
)
@click.option("--recipe", metavar="NAME|FILE", help="Named recipe (scratch, finetune, cifar10) or a YAML file.")
@click.option("--resume", is_flag=True, help="Go on where the run stopped; with more --epochs it becomes longer.")
@click.option("--seed", type=int, metavar="NUMBER", help="Seed of everything random; 0 unless the recipe says.")
@click.option("--epochs", type=int, metavar="NUMBER", help="Epochs to train, in place of the recipe's.")
@click.option("--lr", type=float, metavar="NUMBER", help="Learning rate, in place of the recipe's.")
@click.option("--batch-size", type=int, metavar="NUMBER", help="Pictures in a step, in place of the recipe's.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change any value of the recipe: image_size=160, optimizer.momentum=0.8",
)
@click.option("--keep", type=click.IntRange(1), default=2, metavar="NUMBER", help="Checkpoints to keep.")
@click.option(
    "--skip-unreadable", is_flag=True, help="Leave out pictures that cannot be read, instead of stopping at them."
)
@quiet_option
def train(
    data: Path,
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
    keep: int,
    skip_unreadable: bool,
    quiet: bool,
) -> None:
    """Train or fine-tune a model on a folder of photographs, one sub-folder a class.

    Example:  regnety train --data flowers/ --output runs/flowers --epochs 10
    """
    silence_decoders()
    try:
        with terminated_as(Terminated):
            import_extra("torch", feature="training", extra="torch")
            from regnety.text import counted
            from regnety.training.pictures import UnreadablePicturesError
            from regnety.training.run import train as run_training
            from regnety.training.run_folder import has_begun
            from regnety.training.selection import select_recipe

            chosen = select_recipe(
                output,
                model=model,
                design=design,
                recipe=recipe,
                settings=settings,
                options={"seed": seed, "epochs": epochs, "optimizer.lr": lr, "batch_size": batch_size},
                resume=resume,
            )
            if chosen.model == EMBEDDED_MODEL and model is None and not quiet and not has_begun(output):
                print(f"regnety: no model named; fine-tuning {EMBEDDED_MODEL}", file=sys.stderr)
            try:
                result = run_training(
                    data,
                    output,
                    chosen,
                    resume=resume,
                    keep=keep,
                    skip_unreadable=skip_unreadable,
                    quiet=quiet,
                    command=shlex.join(["regnety", *(word for word in sys.argv[1:] if word != "--resume")]),
                )
            except UnreadablePicturesError as error:
                _list_unreadable(error.errors)
                raise
    except KeyboardInterrupt:
        print("regnety: stopped; --resume goes on after the last finished epoch", file=sys.stderr)
        raise
    scores = [
        f"{split} top1 {top1:.2f} %"
        for split, top1 in (("val", result.val_top1), ("test", result.test_top1))
        if top1 is not None
    ]
    print(f"{result.bundle}: {', '.join([*scores, counted(result.epochs, 'epoch')])}, {result.minutes:.1f} minutes")


def _list_unreadable(errors: Sequence[str]) -> None:
    """The first of several; one alone is in the error itself."""
    if len(errors) == 1:
        return
    for error in errors[:LISTED_ERRORS]:
        print(f"regnety: {printable(error)}", file=sys.stderr)
    if len(errors) > LISTED_ERRORS:
        print(f"regnety: and {len(errors) - LISTED_ERRORS} more", file=sys.stderr)
