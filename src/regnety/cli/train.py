"""`regnety train`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.errors import MissingExtraError


def train(
    data: Annotated[Path, typer.Option(help="Image folder: train/ (and val/, test/), or class folders alone.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: metrics, checkpoints, bundle.")],
    model: Annotated[str | None, typer.Option(help="Model to fine-tune: a name or a bundle folder.")] = None,
    design: Annotated[
        str | None, typer.Option(help="Design to train from scratch: depth=13,w0=24,wa=36.44,wm=2.49,group_width=8")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Named recipe (scratch, finetune, cifar10) or a YAML file.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random; 0 unless the recipe says.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the recipe: epochs=5, optimizer.lr=0.05")
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Checkpoints to keep.")] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train or fine-tune a model on a folder of photographs, one sub-folder a class.

    Example:  regnety train --data flowers/ --output runs/flowers --set epochs=10
    """
    try:
        from regnety.training.run import train as run_training
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("training", "torch") from None
    from regnety.training.selection import select_recipe

    chosen = select_recipe(
        output, model=model, design=design, recipe=recipe, seed=seed, settings=settings or [], resume=resume
    )
    if chosen.model == EMBEDDED_MODEL and model is None and not quiet:
        print(f"regnety: no model named; fine-tuning {EMBEDDED_MODEL}", file=sys.stderr)
    command = shlex.join(["regnety", *sys.argv[1:]])
    try:
        result = run_training(data, output, chosen, resume=resume, keep=keep, quiet=quiet, command=command)
    except KeyboardInterrupt:
        print("regnety: stopped; --resume goes on after the last finished epoch", file=sys.stderr)
        raise typer.Exit(130) from None
    scores = [
        f"{split} top1 {top1:.2f} %"
        for split, top1 in (("val", result.val_top1), ("test", result.test_top1))
        if top1 is not None
    ]
    print(f"{result.bundle}: {', '.join([*scores, f'{result.epochs} epochs, {result.minutes:.1f} minutes'])}")
