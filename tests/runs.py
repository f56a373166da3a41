"""Training runs that end in a second or two."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from pictures import noise
from regnety.training.recipes.recipe import Recipe, with_settings
from regnety.training.run import RunResult, train

CROPS = ("resized", "shift")
DESIGN = "depth=2,w0=16,wa=16,wm=2,group_width=8,stem_stride=1"
SETTINGS = ("image_size=32", "crop_pct=1", "epochs=3", "batch_size=8", "warmup_epochs=1", "ema_decay=0.9")


def small_recipe(*settings: str) -> Recipe:
    return with_settings(Recipe(name="small"), [f"design={DESIGN}", *SETTINGS, *settings])


def run(data: Path, output: Path, *settings: str, **options: Any) -> RunResult:
    """Train with the small recipe, in this process; without a report, which takes as long as the training."""
    return train(data, output, small_recipe(*settings), **{"quiet": True, "report": False, **options})


def command(data: Path, output: Path, *settings: str) -> list[str]:
    """Arguments of `regnety` that do the same."""
    arguments = ["train", "--data", str(data), "--output", str(output), "--design", DESIGN]
    return arguments + [argument for setting in (*SETTINGS, *settings) for argument in ("--set", setting)]


def weights_of(output: Path) -> str:
    """The weights that a run ended with, as the hash of their file: pytest takes minutes to show how bytes differ."""
    return hashlib.sha256((output / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def metrics_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text("utf-8").splitlines()]


def epochs_of(output: Path) -> list[int]:
    """The epochs in metrics.jsonl, after a check that summary.csv has the same rows."""
    rows = metrics_of(output)
    with (output / "summary.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in rows]
    return [row["epoch"] for row in rows]


MEMORISED = ("epochs=10", "augmentation.crop=shift", "augmentation.shift=0", "augmentation.flip=false", "ema_decay=0")
"""Settings with which noise is learnt by heart."""


def write_contrary(root: Path, *, count: int = 20) -> Path:
    """Noise in train/, and in val/ the same under the other class.

    The better a network knows train/, the worse it does on val/: the best epoch is an early one.
    """
    for number, (label, other) in enumerate((("heads", "tails"), ("tails", "heads"))):
        for folder in (root / "train" / label, root / "val" / other):
            folder.mkdir(parents=True)
            for index in range(count):
                noise(36, 34, seed=1000 * number + index).save(folder / f"{index:03d}.png")
    return root
