"""What a run says on stderr: what it trains on, where it starts, and how each epoch went."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regnety.bundle.card_text import title_of
from regnety.datasets.samples import DataSplits
from regnety.metadata.inheritance import terms_in_words
from regnety.notices import say
from regnety.training.checkpoints import Progression
from regnety.training.starting_point import StartingPoint


def say_what_is_trained(
    splits: DataSplits, start: StartingPoint, *, num_train: int, num_val: int, num_unreadable: int, quiet: bool
) -> None:
    """Say how many photographs there are for what, and at which size the model sees them."""
    parts = [f"{num_train} photographs of {len(splits.classes)} classes to train on"]
    if num_val:
        parts.append(f"{num_val} {'' if splits.val else 'of them held out '}to choose the best epoch")
    if splits.test:
        parts.append(f"{len(splits.test)} to test")
    if num_unreadable:
        parts.append(f"{num_unreadable} left out as unreadable")
    bundle, size = start.bundle, start.preprocessing.image_size
    say(f"{splits.root}: {', '.join(parts)}", quiet=quiet)
    if bundle is not None and (terms := terms_in_words(bundle.provenance, title_of(bundle))) is not None:
        say(terms, quiet=quiet)
    say(f"the model sees {size}x{size} pixels, {start.why_this_size}", quiet=quiet)


def say_where_it_is(run: Path, progression: Progression, *, epochs: int, begins_with: str, quiet: bool) -> None:
    """Say whether a run begins or goes on, and whether it was extended.

    Args:
        run: the run's folder.
        progression: of the run.
        epochs: that it has.
        begins_with: the line about the weights that it starts from.
        quiet: say nothing.
    """
    if progression.epochs_done:
        say(f"resuming after epoch {progression.epochs_done} of {epochs}", quiet=quiet)
    else:
        say(begins_with, quiet=quiet)
    if extensions := progression.extensions():
        say(
            f"{run}: was extended ({extensions}); its weights will differ from those of a run that was "
            f"started with {epochs} epochs",
            quiet=quiet,
        )


def say_epoch(row: Mapping[str, Any], epochs: int, *, quiet: bool) -> None:
    """Print how an epoch went, below the progress that it ends."""
    if not quiet:
        print(epoch_line(row, epochs), file=sys.stderr, flush=True)


def epoch_line(row: Mapping[str, Any], epochs: int) -> str:
    """A row of metrics.jsonl in words."""
    line = f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, top1 {row['train_top1']:.2f} %"
    if "val_top1" in row:
        line += f", val top1 {row['val_top1']:.2f} %"
    return f"{line}, {row['seconds']:.0f} s"
