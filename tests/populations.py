"""Populations that train in a second or two."""

import json
from pathlib import Path
from typing import Any

from pictures import write_colours
from regnety.architecture.notation import parse_design
from regnety.designspace.running import run_population

DESIGNS = [parse_design(f"depth=2,w0={width},wa=16,wm=2,group_width=8,stem_stride=1") for width in (8, 16, 24, 32)]
SETTINGS = (
    "image_size=16",
    "crop_pct=1",
    "epochs=9",
    "batch_size=8",
    "warmup_epochs=1",
    "ema_decay=0.9",
    "val_fraction=0.5",
    "augmentation.crop=shift",
)


def write_data(folder: Path) -> Path:
    """Half of twelve small pictures for each of two colours is held out."""
    return write_colours(folder, "red", "green", count=12)


def population(data: Path, output: Path, *, count: int = 4, **options: Any) -> Path:
    """Train the first designs, in this process unless `options` say otherwise."""
    settings = (*SETTINGS, *options.pop("settings", ()))
    return run_population(DESIGNS[:count], data, output, settings=settings, quiet=True, **options)


def records_of(output: Path) -> list[dict[str, Any]]:
    """The journal, without times."""
    records = [json.loads(line) for line in (output / "journal.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        record["seconds"] = 0.0
        for row in record["rows"]:
            row["seconds"] = 0.0
    return records


def epochs_of_trials(output: Path) -> dict[int, list[int]]:
    """Which epochs the journal has of each trial, in order."""
    found: dict[int, list[int]] = {}
    for record in records_of(output):
        found.setdefault(record["trial"], []).extend(row["epoch"] for row in record["rows"])
    return found
