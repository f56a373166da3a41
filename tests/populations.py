"""Populations that train in a second or two."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pictures import write_colours
from regnety import DesignSpace
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import Design
from regnety.architecture.notation import parse_design
from regnety.designspace.halving import Work, read_share, replayed
from regnety.designspace.journal import Journal
from regnety.designspace.plan import DataFacts, Plan, complexities_of, make_trials
from regnety.designspace.running import run_population
from regnety.designspace.trials import Conditions
from regnety.designspace.variations import read_variations
from regnety.training.recipes.recipe import Recipe

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


def write_results(
    folder: Path,
    *,
    count: int = 40,
    seed: int = 0,
    repeat: int = 1,
    keep_best: str | None = None,
    space: DesignSpace | None = None,
) -> Path:
    """A population with drawn results, as if it had been trained: nothing here needs torch.

    Larger designs are better, and so are learning rates near 0.1.
    """
    generator = np.random.default_rng(seed)
    designs: list[AnyDesign] = (
        list(space.sample(count, seed=seed))
        if space is not None
        else [
            Design(
                depth=int(generator.integers(4, 28)),
                w0=int(8 * generator.integers(1, 16)),
                wa=float(np.round(np.exp(generator.uniform(np.log(8), np.log(64))), 1)),
                wm=float(np.round(generator.uniform(1.6, 3), 3)),
                group_width=int(generator.choice([1, 2, 4, 8, 16])),
            )
            for _ in range(count)
        ]
    )
    recipe = Recipe(name="short", image_size=32, crop_pct=1.0, epochs=9, precision="f32")
    vary = ("optimizer.lr=log:0.01:1",)
    trials = make_trials(designs, recipe, read_variations(vary, recipe), draws=1, repeat=repeat)
    plan = Plan(
        recipe=recipe,
        vary=vary,
        draws=1,
        repeat=repeat,
        keep_best=None if keep_best is None else read_share(keep_best),
        conditions=Conditions(),
        data=DataFacts(name="colours", classes=10, train=900, val=100, digest="0"),
        trials=trials,
        complexities=complexities_of(trials, 10),
    )
    folder.mkdir(parents=True)
    plan.write(folder)
    with Journal(folder / "journal.jsonl") as journal:
        progress = replayed(journal.records, len(trials))
        while due := plan.halving.due(progress):
            for work in due:
                rows = _drawn_rows(plan, work, generator)[progress[work.trial].epochs :]
                first = progress[work.trial].epochs
                record = {"trial": work.trial, "first": first, "rows": rows, "seconds": 2.5, "message": None}
                journal.append({**record, "again": False})
                progress[work.trial].add(journal.records[-1])
    return folder


def _drawn_rows(plan: Plan, work: Work, generator: np.random.Generator) -> list[dict[str, Any]]:
    counts, rate = plan.complexities[work.trial], plan.trials[work.trial].varied["optimizer.lr"]
    last = 40 - 4 * np.log(counts.macs / 1e7) + 8 * np.log10(rate / 0.1) ** 2 + generator.normal(0, 1.5)
    errors = last + (90 - last) * np.exp(-0.6 * np.arange(1, work.until + 1))
    return [
        {"epoch": epoch, "val_top1": round(100 - float(np.clip(error, 5, 90)), 2), "val_loss": 1.0}
        for epoch, error in enumerate(errors, start=1)
    ]


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
