"""`regnety train`."""

import shlex
import sys
from pathlib import Path

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.options import model_option, quiet_option
from regnety.extras import import_extra


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
@click.option("--resume", is_flag=True, help="Go on where the run stopped.")
@click.option("--seed", type=int, metavar="NUMBER", help="Seed of everything random; 0 unless the recipe says.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the recipe: epochs=5, optimizer.lr=0.05"
)
@click.option("--keep", type=click.IntRange(1), default=2, metavar="NUMBER", help="Checkpoints to keep.")
@quiet_option
def train(
    data: Path,
    output: Path,
    model: str | None,
    design: str | None,
    recipe: str | None,
    resume: bool,
    seed: int | None,
    settings: tuple[str, ...],
    keep: int,
    quiet: bool,
) -> None:
    """Train or fine-tune a model on a folder of photographs, one sub-folder a class.

    Example:  regnety train --data flowers/ --output runs/flowers --set epochs=10
    """
    import_extra("torch", feature="training", extra="torch")
    from regnety.training.run import train as run_training
    from regnety.training.selection import select_recipe

    chosen = select_recipe(
        output, model=model, design=design, recipe=recipe, seed=seed, settings=list(settings), resume=resume
    )
    if chosen.model == EMBEDDED_MODEL and model is None and not quiet:
        print(f"regnety: no model named; fine-tuning {EMBEDDED_MODEL}", file=sys.stderr)
    command = shlex.join(["regnety", *sys.argv[1:]])
    try:
        result = run_training(data, output, chosen, resume=resume, keep=keep, quiet=quiet, command=command)
    except KeyboardInterrupt:
        print("regnety: stopped; --resume goes on after the last finished epoch", file=sys.stderr)
        raise
    scores = [
        f"{split} top1 {top1:.2f} %"
        for split, top1 in (("val", result.val_top1), ("test", result.test_top1))
        if top1 is not None
    ]
    print(f"{result.bundle}: {', '.join([*scores, f'{result.epochs} epochs, {result.minutes:.1f} minutes'])}")
